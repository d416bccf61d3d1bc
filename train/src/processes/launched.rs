//! Whether something like `mpirun` has started this process as one of several.

/// Variables in which launchers say how many processes they have started: Open MPI, MPICH and Intel MPI, Slurm's `srun`.
const COUNTS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// The variable and its number, where several processes were started.
pub(super) fn as_one_of_several() -> Option<(&'static str, usize)> {
    several(|name| std::env::var(name).ok())
}

fn several(variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, usize)> {
    COUNTS.into_iter().filter_map(|name| Some((name, variable(name)?.trim().parse().ok()?))).find(|&(_, count)| count > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_of_several_processes_is_seen() {
        let with = |name: &'static str, value: &'static str| several(move |asked| (asked == name).then(|| value.to_owned()));
        assert_eq!(with("OMPI_COMM_WORLD_SIZE", "4"), Some(("OMPI_COMM_WORLD_SIZE", 4)));
        assert_eq!(with("SLURM_STEP_NUM_TASKS", "2"), Some(("SLURM_STEP_NUM_TASKS", 2)));
        assert_eq!(with("PMI_SIZE", "1"), None);
        assert_eq!(with("PMI_SIZE", "many"), None);
        assert_eq!(several(|_| None), None);
    }
}
