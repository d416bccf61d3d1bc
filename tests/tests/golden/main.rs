//! Golden values: core in f64 and f32, the tensor route, and the monitor, against 60-digit arithmetic of independent programs.
//!
//!     cargo test -p lsr-tests --test golden                        the project's own values, tests/golden/losses.json
//!     LSR_VECTORS=FILE cargo test -p lsr-tests --test golden       another file of that format (monitor.json stays)

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

mod monitor;
mod tensor;

use lsr_core::{BlockMoments, Distance, GroupLoss, GroupMoments, Loss, Preset, Real, Scheme, Target, VarianceModel};
use lsr_tests::golden::{Case, Vectors};
use lsr_tests::share_of_allowed;
use std::collections::BTreeSet;

/// What is allowed: `|got - expected| <= relative * max(|expected|, floor)`.
///
/// The floor is where a number is so small beside what it was computed from that its relative error says nothing: for a moment, a fixed
/// share of the whole range [0, 1]; for a value, a fixed number (a logarithm passes through 0); for a gradient, a share of its largest entry.
struct Tolerance {
    moments: (f64, f64),
    value: (f64, f64),
    gradient: (f64, f64),
}

/// Measured on five files, relative and without any floor: 4e-13 for moments, 2e-13 for values; 1e-10 for a gradient's smallest entries, which
/// are differences of larger terms and inherit the rounding of eta and p to doubles.
const F64: Tolerance = Tolerance { moments: (1e-10, 1e-6), value: (1e-10, 1e-3), gradient: (1e-10, 1e-3) };

/// In f32 a target of rho = 0.001 turns one rounding of a mean, 3e-8, into 6e-5 rho, and 1 - p of a saturated pixel (p = 1 - 1e-6) keeps one
/// digit. Measured on the same files: 1.2e-8 for moments, 1.2e-4 for values, 6e-4 of the gradient's largest entry.
const F32: Tolerance = Tolerance { moments: (1e-6, 1e-1), value: (1e-3, 1.0), gradient: (5e-3, 1.0) };

#[derive(Default)]
struct Comparison {
    moments: Kind,
    values: Kind,
    gradients: Kind,
}

/// How many numbers were compared, and the largest error in units of its tolerance.
#[derive(Default)]
struct Kind {
    compared: usize,
    worst: f64,
}

impl Kind {
    fn hold<R: Real>(&mut self, what: impl Fn() -> String, got: R, expected: f64, (relative, floor): (f64, f64)) {
        let share = share_of_allowed(got.to_f64(), expected, relative * expected.abs().max(floor));
        self.worst = self.worst.max(share.unwrap_or_else(|error| panic!("{}: {error}", what())));
        self.compared += 1;
    }
}

impl Comparison {
    fn of<R: Real<Literal = R>>(vectors: &Vectors, tolerance: &Tolerance) -> Self {
        let mut all = Self::default();
        for (index, case) in vectors.cases.iter().enumerate() {
            all.moments::<R>(index, case, tolerance);
            all.losses::<R>(index, case, tolerance);
        }
        all
    }

    fn moments<R: Real<Literal = R>>(&mut self, index: usize, case: &Case, tolerance: &Tolerance) {
        let blocks = blocks::<R>(case);
        for values in &case.blocks {
            let model = values.variance_model;
            for (k, block) in blocks.iter().enumerate() {
                let what = |name| move || format!("case {index}, block {k}, {model:?}: {name}");
                self.moments.hold(what("mean"), block.mean(), values.mean[k], tolerance.moments);
                self.moments.hold(what("variance"), block.variance(model), values.variance[k], tolerance.moments);
            }
        }
        let group: GroupMoments<R> = blocks.iter().collect();
        for values in &case.groups {
            let (scheme, model) = (values.scheme, values.variance_model);
            let what = |name| move || format!("case {index}, group, {scheme}, {model:?}: {name}");
            let variance = scheme.variance(group.between_variance(), group.within_variance(model));
            self.moments.hold(what("mean"), group.mean(), values.mean, tolerance.moments);
            self.moments.hold(what("variance"), variance, values.variance, tolerance.moments);
        }
    }

    fn losses<R: Real<Literal = R>>(&mut self, index: usize, case: &Case, tolerance: &Tolerance) {
        let of_losses = case.losses.iter().map(|values| {
            let name = format!("case {index}, {}, {:?}, {}", values.scheme, values.variance_model, values.distance);
            (name, values.loss::<R>().unwrap(), values.value, &values.gradient)
        });
        let of_presets = case.presets.iter().map(|values| {
            let name = format!("case {index}, preset {}", values.preset);
            (name, values.preset.loss(), values.value, &values.gradient)
        });
        let target = Target { mean: R::from_f64(case.eta), std: R::from_f64(case.rho) };
        let blocks = blocks::<R>(case);
        for (name, loss, value, gradient) in of_losses.chain(of_presets) {
            let group = evaluate(&name, &loss, &blocks, target);
            self.values.hold(|| name.clone(), group.value(), value, tolerance.value);
            let largest = gradient.iter().flatten().fold(0.0_f64, |a, b| a.max(b.abs()));
            let (relative, share) = tolerance.gradient;
            for (k, (row, p)) in gradient.iter().zip(&case.probabilities).enumerate() {
                let line = group.pixel_gradient(&blocks[k]).unwrap_or_else(|error| panic!("{name}: {error}"));
                for (i, (&expected, &p)) in row.iter().zip(p).enumerate() {
                    let what = || format!("{name}: gradient of block {k}, pixel {i}");
                    self.gradients.hold(what, line.at(R::from_f64(p)), expected, (relative, share * largest));
                }
            }
        }
    }

    fn print(&self, number: &str) {
        for (name, kind) in [("moments", &self.moments), ("loss values", &self.values), ("gradient entries", &self.gradients)] {
            println!("{number}: {} {name} compared, largest error {:.2e} of what is allowed", kind.compared, kind.worst);
            assert!(kind.compared > 0, "no {name} compared");
        }
    }
}

fn blocks<R: Real>(case: &Case) -> Vec<BlockMoments<R>> {
    case.probabilities.iter().map(|p| BlockMoments::from_masked(p.iter().map(|&p| (R::from_f64(p), true))).unwrap()).collect()
}

fn evaluate<R: Real<Literal = R>>(name: &str, loss: &Loss<R>, blocks: &[BlockMoments<R>], target: Target<R>) -> GroupLoss<R> {
    loss.evaluate(blocks, target).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn vectors() -> Vectors {
    let path = Vectors::path().unwrap_or_else(|error| panic!("{error}"));
    println!("golden values: {}", path.display());
    Vectors::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn core_in_f64_holds_the_golden_values() {
    Comparison::of::<f64>(&vectors(), &F64).print("f64");
}

#[test]
fn core_in_f32_holds_the_golden_values() {
    Comparison::of::<f32>(&vectors(), &F32).print("f32");
}

/// The project's own file leaves nothing out: every distance, every scheme, both variance models, and the presets with constants of their own
/// (`paper` and `paper_literal` are `max_product` with a floor that no group here stands on).
#[test]
fn the_projects_own_file_covers_everything() {
    let own = Vectors::load(&Vectors::own()).unwrap_or_else(|error| panic!("{error}"));
    assert!(own.cases.len() >= 10);
    for case in &own.cases {
        let losses: BTreeSet<String> = case.losses.iter().map(|l| format!("{} {:?} {}", l.scheme, l.variance_model, l.distance)).collect();
        for distance in Distance::ALL.into_iter().filter(|distance| !distance.name().starts_with("code_")) {
            for model in ["BernoulliMean", "CountFraction"] {
                for scheme in [Scheme::Intra, Scheme::IntraInter] {
                    assert!(losses.contains(&format!("{scheme} {model} {distance}")), "{scheme} {model} {distance}");
                }
            }
            // A block's variance plays no part in inter: one model is both.
            assert!(losses.contains(&format!("inter BernoulliMean {distance}")), "inter {distance}");
        }
        let presets: Vec<Preset> = case.presets.iter().map(|values| values.preset).collect();
        assert_eq!(presets, [Preset::PaperCode, Preset::LsrIclr, Preset::LsrEarly]);
        assert_eq!((case.blocks.len(), case.groups.len()), (2, 4));
    }
}

/// The presets `paper` and `paper_literal` are the losses without stabilisers wherever S is above their floor, so the golden values hold them too.
#[test]
fn the_paper_presets_hold_the_golden_values_of_max_product() {
    let mut compared = 0;
    for (index, case) in vectors().cases.iter().enumerate() {
        let target = Target { mean: case.eta, std: case.rho };
        for preset in [Preset::Paper, Preset::PaperLiteral] {
            let loss: Loss<f64> = preset.loss();
            let (scheme, model, floor) = (loss.scheme(), loss.variance_model(), loss.stabilisers().variance_floor);
            let same = |s: &Scheme, m: &VarianceModel| *s == scheme && *m == model;
            let above = case.groups.iter().any(|group| same(&group.scheme, &group.variance_model) && group.variance > floor);
            let values = case.losses.iter().find(|l| same(&l.scheme, &l.variance_model) && l.distance == Distance::MaxProduct);
            if let Some(values) = values.filter(|_| above) {
                let got = evaluate(preset.name(), &loss, &blocks(case), target).value();
                let mut kind = Kind::default();
                kind.hold(|| format!("case {index}, preset {preset}"), got, values.value, F64.value);
                compared += kind.compared;
            }
        }
    }
    println!("{compared} values of paper and paper_literal compared");
    assert!(compared > 0);
}

/// A small file that is right, to be broken in one place at a time.
fn small() -> serde_json::Value {
    serde_json::json!({"description": "", "cases": [{
        "probabilities": [[0.25, 0.75], [0.5]], "eta": 0.5, "rho": 0.5,
        "blocks": [{"variance_model": "count_fraction", "mean": [0.5, 0.5], "variance": [0.09375, 0.25]}],
        "groups": [{"variance_model": "count_fraction", "scheme": "intra_inter", "mean": 0.5, "variance": 0.171875}],
        "losses": [{"variance_model": "count_fraction", "scheme": "inter", "distance": "wasserstein2", "value": 0.25, "gradient": [[0.0, 0.0], [0.0]]}],
        "presets": [{"preset": "paper_code", "value": -1.6, "gradient": [[0.0, 0.0], [0.0]]}],
    }]})
}

/// A file that names something unknown, lacks something, or holds nothing is refused, never passed over.
#[test]
fn a_bad_file_is_refused() {
    Vectors::parse(&small().to_string()).unwrap();
    let null = serde_json::Value::Null;
    for (place, value, message) in [
        ("/cases", "[]", "no case"),
        ("/cases/0/losses", "[]", "case 0: losses is empty"),
        ("/cases/0/blocks", "[]", "case 0: blocks is empty"),
        ("/cases/0/groups", "[]", "case 0: groups is empty"),
        ("/cases/0/presets", "[]", "case 0: presets is empty"),
        ("/cases/0/probabilities", "[]", "case 0: probabilities is empty"),
        ("/cases/0/probabilities/1", "[]", "case 0: probabilities is empty"),
        ("/cases/0/losses/0/scheme", "\"outer\"", "unknown variant `outer`"),
        ("/cases/0/losses/0/distance", "\"l2\"", "unknown variant `l2`"),
        ("/cases/0/losses/0/variance_model", "\"sample\"", "unknown variant `sample`"),
        ("/cases/0/presets/0/preset", "\"best\"", "unknown variant `best`"),
        ("/cases/0/groups/0/scheme", "\"intra\"", "case 0: a group's moments in scheme intra, which has none"),
        ("/cases/0/losses/0/gradient", "[[0.0, 0.0]]", "case 0: gradient of wasserstein2: sizes [2] instead of [2, 1]"),
        ("/cases/0/presets/0/gradient/1", "[]", "case 0: gradient of paper_code: sizes [2, 0] instead of [2, 1]"),
        ("/cases/0/blocks/0/mean", "[0.5]", "case 0: mean of CountFraction has 1 entries for 2 blocks"),
        ("/cases/0/losses/0/value", "null", "invalid type: null, expected f64"),
    ] {
        let mut file = small();
        *file.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
        let error = Vectors::parse(&file.to_string()).unwrap_err();
        assert!(error.starts_with(message), "{place} = {value}: {error:?} instead of {message:?}");
    }
    for (place, key) in [
        ("", "cases"),
        ("/cases/0", "probabilities"),
        ("/cases/0", "eta"),
        ("/cases/0", "rho"),
        ("/cases/0", "blocks"),
        ("/cases/0", "groups"),
        ("/cases/0", "losses"),
        ("/cases/0", "presets"),
        ("/cases/0/blocks/0", "variance"),
        ("/cases/0/groups/0", "mean"),
        ("/cases/0/losses/0", "scheme"),
        ("/cases/0/losses/0", "gradient"),
        ("/cases/0/presets/0", "value"),
    ] {
        let mut file = small();
        let object = file.pointer_mut(place).and_then(serde_json::Value::as_object_mut).unwrap();
        assert_ne!(object.remove(key).unwrap_or(null.clone()), null, "{place}/{key}");
        let error = Vectors::parse(&file.to_string()).unwrap_err();
        assert!(error.starts_with(&format!("missing field `{key}`")), "{place}/{key}: {error}");
    }
    let mut more = small();
    more["cases"][0]["batches"] = serde_json::json!([]);
    assert!(Vectors::parse(&more.to_string()).unwrap_err().starts_with("unknown field `batches`"));
    assert!(Vectors::load(std::path::Path::new("nowhere.json")).unwrap_err().starts_with("nowhere.json: "));
}

/// The comparison itself fails on a number that is wrong by more than is allowed, and on NaN.
#[test]
fn a_wrong_number_fails() {
    let holds = |got: f64| share_of_allowed(got, 0.5, 5e-11).is_ok();
    assert!(holds(0.5) && holds(0.5 + 4e-11) && !holds(0.5 + 6e-11) && !holds(0.5 - 6e-11) && !holds(f64::NAN));
}
