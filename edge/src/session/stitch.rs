//! The fields of a session in their places: one picture at the fields' pixel size.
//!
//! ```text
//! rows ─ places ─► strip of mask, probability, frame ─► SESSION.mask.ome.tif  .probability.ome.tif  .frame.ome.tif
//!                                   └─ outlines ──────► SESSION.geojson, in pixels of these
//! ```
//!
//! Places are the stage's: pictures are not registered. Where fields lie over each other, the later one is seen.

use super::read::Sessions;
use super::record::{FieldRecord, Kind, SessionRecord};
use super::regions::{class_of, kept_pixels};
use crate::digest::sha256;
use crate::error::Error;
use crate::mask::MaskBits;
use crate::output::{About, MOST_RUNS, NOTICE, Origin, Outliner, OutputFiles, Samples, prepare_folder, write_pyramid, write_whole};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;

/// Rows that are put together at a time.
const STRIP: u32 = 512;

/// Most pixels.
const MAX_PIXELS: u64 = 4_000_000_000;

/// Pixel sizes that differ by no more than this share are one.
const SAME: f64 = 1e-6;

/// Glass, where no field was.
const GLASS: u8 = 255;

/// What was put together.
#[derive(Debug, Clone, Serialize)]
pub struct Stitched {
    /// Fields that are in it.
    pub fields: usize,
    /// Fields whose place is not known.
    pub without_place: usize,
    /// Width and height.
    pub size: [u32; 2],
    /// Pixel size.
    pub um_per_px: f64,
    /// Place of its upper left corner on the stage, um.
    pub corner_um: [f64; 2],
    /// Regions of its mask; null where there would be too many, and no outlines are written.
    pub regions: Option<usize>,
    /// Whether its frames were kept.
    pub frame: bool,
}

/// Fields in their places.
struct Places {
    /// Each with its upper left corner in the picture, in the order in which they were seen.
    fields: Vec<(FieldRecord, [u32; 2])>,
    without_place: usize,
    size: [u32; 2],
    um_per_px: f64,
    corner_um: [f64; 2],
}

impl Places {
    fn of(sessions: &Sessions, session: &SessionRecord) -> Result<Self, Error> {
        let said = |reason: String| Error::Stitch { session: session.id.clone(), reason };
        // Files are named by it.
        if uuid::Uuid::parse_str(&session.id).is_err() {
            return Err(said("its id is no UUID".to_owned()));
        }
        let all = sessions.all_fields(&session.id)?;
        let count = all.len();
        let mut placed: Vec<(FieldRecord, [f64; 2])> = all
            .into_iter()
            .filter_map(|field| {
                let place = field.position.filter(|place| place.x_um.is_finite() && place.y_um.is_finite())?;
                let half = [field.width, field.height].map(|side| f64::from(side) * field.um_per_px / 2.0);
                Some((field, [place.x_um - half[0], place.y_um - half[1]]))
            })
            .collect();
        let without_place = count - placed.len();
        let um_per_px =
            placed.first().map(|(field, _)| field.um_per_px).ok_or_else(|| said(format!("none of its {count} fields has a place")))?;
        if let Some((other, _)) = placed.iter().find(|(field, _)| (field.um_per_px / um_per_px - 1.0).abs() > SAME) {
            let (number, um) = (other.number, other.um_per_px);
            return Err(said(format!(
                "field {number} has {um} um/px and the first one {um_per_px}: only fields of one pixel size are put together"
            )));
        }
        placed.sort_by(|(a, _), (b, _)| a.seen_utc.cmp(&b.seen_utc).then(a.number.cmp(&b.number)));
        let corner_um: [f64; 2] = std::array::from_fn(|axis| placed.iter().map(|(_, corner)| corner[axis]).fold(f64::INFINITY, f64::min));
        let mut size = [0.0_f64; 2];
        for (field, corner) in &mut placed {
            let sides = [field.width, field.height];
            for axis in 0..2 {
                corner[axis] = ((corner[axis] - corner_um[axis]) / um_per_px).round();
                size[axis] = size[axis].max(corner[axis] + f64::from(sides[axis]));
            }
        }
        if !(1.0..=MAX_PIXELS as f64).contains(&(size[0] * size[1])) {
            return Err(said(format!("{} x {} px, expected 1 to {MAX_PIXELS} in all", size[0], size[1])));
        }
        let fields = placed.into_iter().map(|(field, corner)| (field, corner.map(|at| at as u32))).collect();
        Ok(Self { fields: visible(fields), without_place, size: size.map(|side| side as u32), um_per_px, corner_um })
    }

    /// The first rows of the strips, and how many.
    fn strips(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.size[1]).step_by(STRIP as usize).map(|y| (y, STRIP.min(self.size[1] - y)))
    }

    /// Pixels of one kind of picture in some rows; `ground` where there is no field.
    fn strip(&self, sessions: &Sessions, kind: Kind, (top, rows): (u32, u32), ground: u8) -> Result<Vec<u8>, Error> {
        let (folder, database) = (sessions.folder(), sessions.database());
        let samples = samples_of(kind).count();
        let row_bytes = self.size[0] as usize * samples;
        let mut strip = vec![ground; row_bytes * rows as usize];
        let in_it: Vec<_> = self.fields.iter().filter(|(field, at)| at[1] < top + rows && at[1] + field.height > top).collect();
        // As many pictures are in memory as threads decode at a time.
        for group in in_it.chunks(rayon::current_num_threads().max(1)) {
            let pictures: Vec<Vec<u8>> =
                group.par_iter().map(|(field, _)| kept_pixels(folder, database, field, kind)).collect::<Result<_, _>>()?;
            for ((field, at), pixels) in group.iter().zip(pictures) {
                let own_bytes = field.width as usize * samples;
                for y in at[1].max(top)..(at[1] + field.height).min(top + rows) {
                    let from = (y - at[1]) as usize * own_bytes;
                    let to = (y - top) as usize * row_bytes + at[0] as usize * samples;
                    strip[to..to + own_bytes].copy_from_slice(&pixels[from..from + own_bytes]);
                }
            }
        }
        Ok(strip)
    }
}

/// Without those that a later field of the same size and place hides.
fn visible(mut fields: Vec<(FieldRecord, [u32; 2])>) -> Vec<(FieldRecord, [u32; 2])> {
    let mut taken = HashSet::new();
    fields.reverse();
    fields.retain(|(field, at)| taken.insert((*at, field.width, field.height)));
    fields.reverse();
    fields
}

fn samples_of(kind: Kind) -> Samples {
    match kind {
        Kind::Mask => Samples::Mask,
        Kind::Probability => Samples::Grey,
        Kind::Frame | Kind::Overlay => Samples::Rgb,
    }
}

/// Writes `SESSION.mask.ome.tif`, `.probability.ome.tif`, `.geojson`, `.json` and, where every frame was kept, `.frame.ome.tif` into a folder.
///
/// # Errors
/// [`Error::Stitch`] where no field has a place, and for fields of different pixel sizes; [`Error::Store`] for a field whose mask or
/// probabilities were not kept or are gone; [`Error::Decode`], [`Error::Write`], [`Error::OutputFolder`].
pub fn write_stitched(sessions: &Sessions, session: &SessionRecord, folder: &Path) -> Result<Stitched, Error> {
    let places = Places::of(sessions, session)?;
    prepare_folder(folder)?;
    let files = OutputFiles::new(folder, &session.id);
    files.remove_record()?;
    let inputs = sha256(places.fields.iter().map(|(field, _)| format!("{}\n", field.input_sha256)).collect::<String>().as_bytes());
    let settings = json!({ "session": session.id, "corner_um": places.corner_um, "settings": session.settings });
    let provenance = [
        ("notice", NOTICE.to_owned()),
        ("lsr_edge", crate::VERSION.to_owned()),
        ("model_sha256", session.model_sha256.clone()),
        ("input_sha256", inputs.clone()),
        ("settings", settings.to_string()),
    ];
    let about = |channel| About { name: &session.id, channel, um_per_px: places.um_per_px, origin: &provenance };

    let size = places.size;
    let (mut bits, mut outliner) = (MaskBits::new(size), Some(Outliner::new()));
    let masks = places.strips().map(|strip| {
        let [mask, probability] = [Kind::Mask, Kind::Probability].map(|kind| places.strip(sessions, kind, strip, 0));
        let (mask, probability) = (mask?, probability?);
        let width = size[0] as usize;
        for ((y, mask), probability) in (strip.0..).zip(mask.chunks_exact(width)).zip(probability.chunks_exact(width)) {
            let cancer: Vec<bool> = mask.iter().map(|&level| level > 127).collect();
            bits.set_row(y as usize, &cancer);
            outliner.iter_mut().for_each(|outliner| outliner.push(&cancer, probability));
        }
        outliner = outliner.take().filter(|outliner| outliner.runs() as u64 <= MOST_RUNS);
        Ok(mask)
    });
    write_pyramid(&files.mask_pyramid(), size, Samples::Mask, &about("cancer mask, 255 is cancer"), masks)?;
    let whole = &places;
    let strips = |kind, ground| whole.strips().map(move |strip| whole.strip(sessions, kind, strip, ground));
    let channel = "cancer probability, round(255 p)";
    write_pyramid(&files.probability_pyramid(), size, Samples::Grey, &about(channel), strips(Kind::Probability, 0))?;
    let frame = places.fields.iter().all(|(field, _)| field.path_of(Kind::Frame).is_some());
    if frame {
        write_pyramid(&files.frame_pyramid(), size, Samples::Rgb, &about("frames"), strips(Kind::Frame, GLASS))?;
    }
    let class = class_of(session);
    let origin = Origin {
        input_sha256: &inputs,
        model_sha256: &session.model_sha256,
        settings: &settings,
        class: &class,
        um_per_px: places.um_per_px,
        scale: [1.0; 2],
        size,
    };
    let regions = outliner.map(|outliner| outliner.regions(size[0] as usize, |x, y| bits.get(x, y)));
    match &regions {
        Some(regions) => files.write_geojson(regions, origin)?,
        None => files.remove_geojson()?,
    }
    let stitched = Stitched {
        fields: places.fields.len(),
        without_place: places.without_place,
        size,
        um_per_px: places.um_per_px,
        corner_um: places.corner_um,
        regions: regions.map(|regions| regions.len()),
        frame,
    };
    let record = json!({ "notice": NOTICE, "lsr_edge": crate::VERSION, "input_sha256": inputs, "stitched": stitched, "session": session });
    write_whole(&files.record(), format!("{record:#}\n").as_bytes())?;
    Ok(stitched)
}
