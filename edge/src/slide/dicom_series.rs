//! Which DICOM files are one slide: the levels of a pyramid are files of one series in one folder.

use super::dicom_walk::Contents;
use super::{Beginning, Level};
use crate::input::Input;
use dicom_dictionary_std::{tags, uids};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a file says of the slide that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    series: String,
    /// Place in which levels of a slide lie over each other.
    frame_of_reference: Option<String>,
    /// Pixels of the slide, or of a picture of its label or of the whole glass.
    is_volume: bool,
    size: [u32; 2],
}

impl Member {
    /// `None` for a file that is no whole slide image.
    pub(super) fn of(path: &Path) -> Option<Self> {
        if !begins_like_dicom(path) {
            return None;
        }
        let (columns, rows) = (tags::TOTAL_PIXEL_MATRIX_COLUMNS, tags::TOTAL_PIXEL_MATRIX_ROWS);
        let wanted = [tags::SOP_CLASS_UID, tags::IMAGE_TYPE, tags::SERIES_INSTANCE_UID, tags::FRAME_OF_REFERENCE_UID, columns, rows];
        let contents = Contents::wanted(path, &wanted, Some(rows)).ok()?;
        if contents.text(tags::SOP_CLASS_UID)? != uids::VL_WHOLE_SLIDE_MICROSCOPY_IMAGE_STORAGE {
            return None;
        }
        let size = [contents.number(columns)?, contents.number(rows)?];
        Some(Self {
            series: contents.text(tags::SERIES_INSTANCE_UID)?,
            frame_of_reference: contents.text(tags::FRAME_OF_REFERENCE_UID),
            is_volume: contents.text(tags::IMAGE_TYPE)?.split('\\').any(|part| part == "VOLUME"),
            size: Some(size).filter(|size| !size.contains(&0))?,
        })
    }

    /// Whether it is a coarser level of another one.
    fn is_level_of(&self, other: &Self) -> bool {
        let alike = self.series == other.series && self.frame_of_reference == other.frame_of_reference;
        alike && self.is_volume && other.is_volume && Level::is_smaller(self.size, other.size)
    }

    /// Whether another one stands for it: it is a coarser level of it, or its label or overview.
    fn is_part_of(&self, other: &Self) -> bool {
        self.is_level_of(other) || self.series == other.series && !self.is_volume && other.is_volume
    }
}

/// Whether a file begins like DICOM. A pipe is not asked: what is read of it is gone.
pub(crate) fn begins_like_dicom(path: &Path) -> bool {
    path.is_file() && matches!(Beginning::of(path), Ok(Beginning::Dicom))
}

/// The coarser levels that lie beside a file, from the finest; one of each size.
pub(super) fn smaller_levels(path: &Path, own: &Member) -> Vec<PathBuf> {
    let Some(beside) = path.parent().and_then(|folder| in_folder(folder).ok()) else { return Vec::new() };
    let mut levels: Vec<(Member, PathBuf)> = beside
        .into_iter()
        .filter_map(|file| Member::of(&file).filter(|member| member.is_level_of(own)).map(|member| (member, file)))
        .collect();
    levels.sort_by(|(a, file), (b, other)| b.size.cmp(&a.size).then_with(|| file.cmp(other)));
    levels.dedup_by(|(a, _), (b, _)| a.size == b.size);
    levels.into_iter().map(|(_, file)| file).collect()
}

fn in_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Inputs without those that another input stands for.
pub(crate) fn without_levels(inputs: Vec<Input>) -> Vec<Input> {
    let folder = |input: &Input| input.path.parent().map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.to_owned()));
    let members: Vec<Option<(Option<PathBuf>, Member)>> =
        inputs.iter().map(|input| Member::of(&input.path).map(|member| (folder(input), member))).collect();
    let mut series = HashMap::<_, Vec<&Member>>::new();
    for (folder, member) in members.iter().flatten() {
        series.entry((folder, &member.series)).or_default().push(member);
    }
    let is_part = |(folder, own): &(Option<PathBuf>, Member)| {
        series.get(&(folder, &own.series)).is_some_and(|members| members.iter().any(|other| own.is_part_of(other)))
    };
    let kept: Vec<bool> = members.iter().map(|own| !own.as_ref().is_some_and(is_part)).collect();
    inputs.into_iter().zip(kept).filter_map(|(input, kept)| kept.then_some(input)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_smaller_pictures_of_the_same_place() {
        let finest = Member { series: "1".to_owned(), frame_of_reference: Some("2".to_owned()), is_volume: true, size: [1001, 600] };
        let level = Member { size: [250, 150], ..finest.clone() };
        assert!(level.is_level_of(&finest) && !finest.is_level_of(&level) && !finest.is_part_of(&finest.clone()));
        for other in [
            Member { size: [250, 250], ..level.clone() },
            Member { series: "3".to_owned(), ..level.clone() },
            Member { frame_of_reference: None, ..level.clone() },
        ] {
            assert!(!other.is_part_of(&finest), "{other:?}");
        }
        let label = Member { is_volume: false, frame_of_reference: None, size: [300, 300], ..level };
        assert!(label.is_part_of(&finest) && !label.is_level_of(&finest) && !finest.is_part_of(&label));
    }
}
