//! Free cells and tumour cells: which site is taken by what, and what its nucleus looks like.

use super::canvas::Stained;
use super::field::GroundGrid;
use super::lattice::{Lattice, Site};
use super::noise::{Draw, noise, smoothstep};
use super::nucleus::{Cytoplasm, Nucleus};
use super::slide::{Growth, Slide};
use super::structure::Structure;

/// Distance in um between the places of stromal cells and of fat cells.
const FIBROBLAST_UM: f32 = 12.5;
const FAT_UM: f32 = 52.0;

/// Decides what lies where in one window.
pub(super) struct Population<'a> {
    pub(super) slide: &'a Slide,
    pub(super) grid: &'a GroundGrid,
    pub(super) structures: &'a [Structure],
}

impl Population<'_> {
    fn free(&self, site: &Site) -> bool {
        !self.structures.iter().any(|s| s.excludes(site.x, site.y))
    }

    /// The lattice of tumour cells; a site is taken where tumour grows.
    pub(super) fn tumour(&self, low: (f32, f32), high: (f32, f32)) -> Lattice {
        let slide = self.slide;
        let mut lattice = Lattice::new(slide.key ^ 0x71, slide.tumour_cell.spacing_um, 0.30, low, high);
        let strays = if slide.growth == Growth::Files { 0.05 } else { 0.01 };
        for site in &mut lattice.sites {
            let g = self.grid.at(site.x, site.y);
            let mut draw = Draw::new(site.key);
            // Single cells stray from the strands; the outline wavers from cell to cell.
            let stray = g.tumour > -0.22 && draw.unit() < strays;
            let grows = g.tumour + 0.03 * draw.normal() > 0.0 || stray;
            site.taken = grows && g.tumour > -1e5 && g.glass < 0.0 && g.fat < 0.02 && self.free(site);
        }
        lattice
    }

    /// The lattice of fat cells.
    pub(super) fn fat(&self, low: (f32, f32), high: (f32, f32)) -> Lattice {
        let mut lattice = Lattice::new(self.slide.key ^ 0x72, FAT_UM, 0.26, low, high);
        for site in &mut lattice.sites {
            site.taken = self.grid.at(site.x, site.y).fat > 0.0;
        }
        lattice
    }

    /// Nucleus of a taken tumour site: large, irregular, with a membrane and nucleoli; now and then dark, or in mitosis.
    pub(super) fn tumour_nucleus(&self, site: &Site) -> Nucleus {
        let cell = &self.slide.tumour_cell;
        let mut draw = Draw::new(site.key ^ 0x73);
        let size = cell.nucleus_um * (1.0 + cell.pleomorphism * draw.normal()).clamp(0.62, 1.7);
        let off = 0.10 * cell.spacing_um;
        let (x, y) = (site.x + off * draw.normal(), site.y + off * draw.normal());
        let mut nucleus = Nucleus::round(x, y, size, cell.chromatin * (1.0 + 0.2 * draw.normal()).max(0.5), draw.key());
        let stretch = 1.0 + 0.32 * draw.unit();
        nucleus.axes = (size * stretch, size / stretch);
        nucleus.direction = draw.direction();
        nucleus.irregular = draw.range(0.04, 0.06 + 0.35 * cell.pleomorphism);
        nucleus.clumps = (draw.range(0.3, 0.6), draw.range(1.5, 2.6));
        nucleus.membrane = draw.range(0.3, 0.8);
        nucleus.nucleoli = (draw.unit() * 2.6) as u32;
        nucleus.softness = draw.range(0.4, 1.1);
        nucleus.opacity = draw.range(0.78, 0.97);
        nucleus.cancer = true;
        match draw.unit() {
            // Mitosis: a dense plate without a membrane in cleared cytoplasm.
            u if u < 0.012 => {
                nucleus.axes = (size * 0.95, size * 0.38);
                nucleus.irregular = 0.22;
                (nucleus.chromatin, nucleus.membrane, nucleus.nucleoli) = (2.6, 0.0, 0);
                nucleus.cytoplasm = Some(Cytoplasm { width: 2.5, stain: Stained::new(0.12, 0.32), opacity: 0.7 });
            }
            // Hyperchromatic.
            u if u < 0.13 => (nucleus.chromatin, nucleus.nucleoli) = (draw.range(1.7, 2.3), 0),
            // A clear zone around the nucleus.
            u if u < 0.28 => nucleus.cytoplasm = Some(Cytoplasm { width: 1.4, stain: Stained::new(0.05, 0.2), opacity: 0.6 }),
            _ => {}
        }
        nucleus
    }

    /// Nuclei of the fibroblasts, and some large pale histiocytes, between `low` and `high` (um).
    pub(super) fn stromal(&self, low: (f32, f32), high: (f32, f32), tumour: &Lattice) -> Vec<Nucleus> {
        let slide = self.slide;
        let lattice = Lattice::new(slide.key ^ 0x74, FIBROBLAST_UM, 0.45, low, high);
        let mut nuclei = Vec::new();
        for site in &lattice.sites {
            let mut draw = Draw::new(site.key);
            let lot = draw.unit();
            let g = self.grid.at(site.x, site.y);
            let share = slide.fibroblasts * (1.0 - 0.85 * g.lymphoid) * (1.0 + 0.8 * noise(slide.key ^ 0x75, site.x / 60.0, site.y / 60.0));
            let histiocyte = g.lymphoid.max(g.loose) > 0.45 && lot > 1.0 - slide.histiocytes * (1.0 + g.lymphoid);
            if g.glass > -0.01 || g.fat > -0.02 || !(lot < share || histiocyte) || self.in_tumour(site, tumour) || !self.free(site) {
                continue;
            }
            if histiocyte {
                // A benign cell with a large pale nucleus and ample cytoplasm: smaller and smoother than tumour.
                let mut nucleus = Nucleus::round(site.x, site.y, draw.range(3.6, 4.6), draw.range(0.85, 1.25), site.key);
                nucleus.axes.0 *= draw.range(1.1, 1.4);
                nucleus.direction = draw.direction();
                nucleus.membrane = 0.35;
                nucleus.cytoplasm = Some(Cytoplasm { width: draw.range(3.0, 5.0), stain: Stained::new(0.12, 0.42), opacity: 0.85 });
                nuclei.push(nucleus);
            } else {
                let mut nucleus = Nucleus::round(site.x, site.y, 1.5, draw.range(1.2, 2.0), site.key);
                let plump = draw.unit() * draw.unit();
                nucleus.axes = (draw.range(3.6, 8.5), 0.85 + 1.6 * plump);
                let (c, s) = self.grid.fibre(site.x, site.y);
                let tilt = 0.22 * draw.normal();
                nucleus.direction = (c - tilt * s, s + tilt * c);
                let length = (1.0 + tilt * tilt).sqrt();
                nucleus.direction = (nucleus.direction.0 / length, nucleus.direction.1 / length);
                nucleus.irregular = 0.12;
                nucleus.opacity = draw.range(0.6, 0.95);
                nuclei.push(nucleus);
            }
        }
        nuclei
    }

    /// Nuclei of lymphocytes, plasma cells and the large cells of germinal centres.
    pub(super) fn lymphoid(&self, low: (f32, f32), high: (f32, f32), tumour: &Lattice, fat: &Lattice) -> Vec<Nucleus> {
        let slide = self.slide;
        let lattice = Lattice::new(slide.key ^ 0x76, 2.28 * slide.lymphocyte_um, 0.40, low, high);
        let mut nuclei = Vec::new();
        for site in &lattice.sites {
            let mut draw = Draw::new(site.key);
            let lot = draw.unit();
            let g = self.grid.at(site.x, site.y);
            if g.glass > 0.0 {
                continue;
            }
            let patchy = smoothstep(-0.1, 0.75, noise(slide.key ^ 0x77, site.x / 55.0, site.y / 55.0));
            // Sinuses and the like leave gaps in dense lymphoid tissue.
            let packed = 0.93 - 0.5 * smoothstep(0.25, 0.8, noise(slide.key ^ 0x78, site.x / 34.0, site.y / 34.0));
            let around = slide.infiltrate * (0.15 + 3.0 * patchy * patchy);
            let share = around + (packed - around).max(0.0) * g.lymphoid;
            let share = share * (1.0 - 0.3 * g.germinal);
            if lot > share && lot > slide.intraepithelial {
                continue;
            }
            let share = if self.in_tumour(site, tumour) { slide.intraepithelial } else { share };
            if lot > share || !self.free(site) {
                continue;
            }
            // In fat they keep to the walls between the cells.
            if g.fat > -0.3 {
                let owner = fat.owner(site.x, site.y);
                if owner.site.taken && (owner.border > 2.5 || lot > 0.04) {
                    continue;
                }
            }
            nuclei.push(self.leucocyte(site, &mut draw, g.germinal));
        }
        nuclei
    }

    fn leucocyte(&self, site: &Site, draw: &mut Draw, germinal: f32) -> Nucleus {
        let slide = self.slide;
        let radius = slide.lymphocyte_um * (1.0 + 0.07 * draw.normal());
        let chromatin = slide.lymphocyte_chromatin * (1.0 + 0.11 * draw.normal());
        let mut nucleus = Nucleus::round(site.x, site.y, radius, chromatin, site.key ^ 0x79);
        nucleus.axes = (radius * draw.range(1.0, 1.16), radius * draw.range(0.88, 1.0));
        nucleus.direction = draw.direction();
        nucleus.irregular = 0.045;
        nucleus.clumps = (0.2, 1.9);
        nucleus.softness = draw.range(0.35, 0.8);
        nucleus.opacity = draw.range(0.82, 1.0);
        let pale = Stained::new(0.22, 0.34);
        nucleus.cytoplasm = Some(Cytoplasm { width: draw.range(0.3, 0.9), stain: pale, opacity: 0.75 });
        if germinal > draw.range(0.1, 0.9) && draw.unit() < 0.8 {
            // Centroblasts and centrocytes: larger and paler than lymphocytes, but round.
            let radius = draw.range(3.9, 4.8);
            nucleus.axes = (radius * 1.05, radius * 0.95);
            nucleus.chromatin = draw.range(1.0, 1.5);
            nucleus.nucleoli = u32::from(draw.unit() < 0.3);
            nucleus.membrane = 0.4;
            nucleus.cytoplasm = Some(Cytoplasm { width: 1.2, stain: Stained::new(0.3, 0.4), opacity: 0.7 });
        } else if draw.unit() < slide.plasma_cells {
            // An eccentric nucleus in purple cytoplasm.
            nucleus.axes = (radius * 0.95, radius * 0.95);
            nucleus.clumps.0 = 0.35;
            nucleus.cytoplasm = Some(Cytoplasm { width: draw.range(1.5, 2.6), stain: Stained::new(0.55, 0.55), opacity: 0.9 });
        }
        nucleus
    }

    fn in_tumour(&self, site: &Site, tumour: &Lattice) -> bool {
        let owner = tumour.owner(site.x, site.y);
        owner.site.taken && owner.distance < 0.9 * self.slide.tumour_cell.spacing_um
    }
}
