//! A slide: what a camera sees at a place, and what the network finds there.

use image::imageops::{flip_horizontal, flip_vertical, replace};
use image::{GrayImage, Rgb, RgbImage};
use lsr_core::U8Sums;
use lsr_edge::{Field, Interrupt, Mask, Model, PixelSize, Tiling, predict};
use lsr_tests::workspace_root;

/// What `lsr-edge scan` is told; the carriages' 0.3125 um steps lie on whole pixels every 5 um.
pub(crate) const UM_PER_PX: f64 = 1.0;
/// Side of a field, pixels.
pub(crate) const FIELD: u32 = 240;
/// Side of the slide, pixels: from 0 to 1,200 um.
const SLIDE: u32 = 1_200;

pub(crate) struct Slide(RgbImage);

impl Slide {
    /// Tissue with cancer and tissue without, side by side and mirrored, and a shade over it all by which no two places are alike.
    pub(crate) fn new() -> Self {
        let tissue =
            [1, 2].map(|number| image::open(workspace_root().join(format!("edge/samples/field-{number}.png"))).unwrap().into_rgb8());
        let side = tissue[0].width();
        let mut slide = RgbImage::new(SLIDE, SLIDE);
        for row in 0..SLIDE / side {
            for column in 0..SLIDE / side {
                let mut tile = tissue[((row + column) % 2) as usize].clone();
                if column % 2 == 1 {
                    tile = flip_horizontal(&tile);
                }
                if row % 2 == 1 {
                    tile = flip_vertical(&tile);
                }
                replace(&mut slide, &tile, i64::from(column * side), i64::from(row * side));
            }
        }
        for (x, y, pixel) in slide.enumerate_pixels_mut() {
            let shade = 256 - (x + 2 * y) / 100;
            pixel.0 = pixel.0.map(|level| (u32::from(level) * shade / 256) as u8);
        }
        Self(slide)
    }

    /// The field whose corner lies at a place, um; black beyond the slide.
    pub(crate) fn view(&self, x_um: f64, y_um: f64) -> RgbImage {
        let corner = |um: f64| (um / UM_PER_PX).round() as i64;
        let (left, top) = (corner(x_um), corner(y_um));
        RgbImage::from_fn(FIELD, FIELD, |x, y| {
            let inside = |place: i64| u32::try_from(place).ok().filter(|&place| place < SLIDE);
            match (inside(left + i64::from(x)), inside(top + i64::from(y))) {
                (Some(x), Some(y)) => *self.0.get_pixel(x, y),
                _ => Rgb([0; 3]),
            }
        })
    }
}

/// What the embedded network finds in an image.
pub(crate) fn segmented(model: &Model, image: &RgbImage) -> (GrayImage, U8Sums) {
    let metadata = model.metadata();
    let tiling = Tiling { max_tile: Some(model.default_tile()), ..Tiling::default() };
    let rule = tiling.for_model(metadata.alignment, metadata.context_px).unwrap();
    let field = Field { image: image.clone(), pixel_size: PixelSize::given_or_assumed(Some(UM_PER_PX), None, metadata.um_per_px) };
    let resampled = field.at(metadata.um_per_px).unwrap();
    let map = predict(model, resampled.as_ref().unwrap_or(image), &rule, &Interrupt::default(), &|_| ()).unwrap();
    let map = map.resized(image.width(), image.height());
    let mask = Mask::new(&map, metadata.threshold);
    let mut sums = U8Sums::default();
    sums.push_row(&map.to_u8());
    (GrayImage::from_raw(image.width(), image.height(), mask.to_u8()).unwrap(), sums)
}
