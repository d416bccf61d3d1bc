//! A window of the slide while it is drawn: stain concentrations and the mask, on a pixel grid that may be finer than the image's.

/// Amounts of stain at one place; 1 is that of dense collagen (eosin), a lymphocyte's nucleus has about 2.2 of haematoxylin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stained {
    pub(super) haematoxylin: f32,
    pub(super) eosin: f32,
    pub(super) erythrocyte: f32,
}

impl Stained {
    pub(super) fn new(haematoxylin: f32, eosin: f32) -> Self {
        Self { haematoxylin, eosin, erythrocyte: 0.0 }
    }

    /// Covers this with `over` by `alpha` (0 to 1).
    pub(super) fn cover(&mut self, over: Self, alpha: f32) {
        self.haematoxylin += (over.haematoxylin - self.haematoxylin) * alpha;
        self.eosin += (over.eosin - self.eosin) * alpha;
        self.erythrocyte += (over.erythrocyte - self.erythrocyte) * alpha;
    }
}

/// One pixel: its stain and whether it is cancer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pixel {
    pub(super) stain: Stained,
    pub(super) cancer: bool,
}

/// Pixels `first.0 ..` by `first.1 ..` of the slide, `pitch_um` apart; pixel (i, j) has its centre at ((i + 1/2), (j + 1/2)) pitches.
pub(super) struct Canvas {
    pub(super) first: (i32, i32),
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pitch_um: f32,
    pub(super) pixels: Vec<Pixel>,
}

impl Canvas {
    pub(super) fn new(first: (i32, i32), width: usize, height: usize, pitch_um: f32) -> Self {
        Self { first, width, height, pitch_um, pixels: vec![Pixel::default(); width * height] }
    }

    /// The corners in um, widened by `margin_um`.
    pub(super) fn bounds(&self, margin_um: f32) -> ((f32, f32), (f32, f32)) {
        let um = |index: i32| index as f32 * self.pitch_um;
        let (x, y) = self.first;
        ((um(x) - margin_um, um(y) - margin_um), (um(x + self.width as i32) + margin_um, um(y + self.height as i32) + margin_um))
    }

    /// Calls `paint(x_um, y_um, pixel)` for the pixels whose centres lie within `reach_um` of (x, y) along each axis.
    pub(super) fn around(&mut self, x: f32, y: f32, reach_um: f32, mut paint: impl FnMut(f32, f32, &mut Pixel)) {
        let index = |um: f32, first: i32, length: usize| {
            ((um / self.pitch_um).floor() as i32).saturating_sub(first).clamp(0, length as i32) as usize
        };
        let (left, right) = (index(x - reach_um, self.first.0, self.width), index(x + reach_um + self.pitch_um, self.first.0, self.width));
        let (top, bottom) =
            (index(y - reach_um, self.first.1, self.height), index(y + reach_um + self.pitch_um, self.first.1, self.height));
        for row in top..bottom {
            let y_um = ((row as i32 + self.first.1) as f32 + 0.5) * self.pitch_um;
            let start = row * self.width;
            for (column, pixel) in self.pixels[start + left..start + right].iter_mut().enumerate() {
                let x_um = (((left + column) as i32 + self.first.0) as f32 + 0.5) * self.pitch_um;
                paint(x_um, y_um, pixel);
            }
        }
    }
}
