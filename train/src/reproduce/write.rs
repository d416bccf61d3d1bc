//! The report of a reproduction: tables (Markdown, JSON, CSV), figures (PNG, SVG), and one HTML page with all of it.

use super::judge::Outcome;
use super::settings::Plan;
use super::system::{INTRA, INTRA_INTER, LOW_RESOLUTION, Method, SUPERVISED, SUPERVISED_BY_BLOCK, System};
use crate::atomic;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::figure::{BoundaryOptions, BoundaryPanel, Contour, GridOptions, GridRow, Scene, boundary_figure, mask_grid};
use crate::report::{calibration_plot, html_page, pairs_html, png_figure, svg_figure, table_html, warnings_html};
use crate::statistics::{
    Bootstrap, Calibration, Comparison, Roles, SeedCounts, SystemCounts, Table, calibration_table, compare, differences_csv,
    differences_table, gap_table, json, results_csv, results_table,
};
use image::{GrayImage, RgbImage};
use maud::html;
use std::collections::BTreeMap;
use std::path::Path;

/// Seed whose masks the figures show.
const SHOWN_SEED: usize = 0;

/// Test images in the grid of masks.
const GRID_ROWS: usize = 6;

/// Writes everything; `done[seed][system]`.
pub(super) fn write(plan: &Plan, systems: &[System], data: &Path, done: &[Vec<Outcome>], output: &Path) -> Result<()> {
    let report = Report::new(plan, systems, done)?;
    let comparison = &report.comparison;
    atomic::write(&output.join("table.md"), report.markdown().as_bytes())?;
    atomic::write(&output.join("results.json"), json(comparison)?.as_bytes())?;
    atomic::write(&output.join("results.csv"), results_csv(comparison)?.as_bytes())?;
    atomic::write(&output.join("differences.csv"), differences_csv(comparison)?.as_bytes())?;
    let images = Images::read(plan, systems, data, output)?;
    let figures = output.join("figures");
    atomic::make_folder(&figures)?;
    let paper = [(Contour::low_resolution(), LOW_RESOLUTION), (Contour::intra(), INTRA), (Contour::intra_inter(), INTRA_INTER)];
    let mut drawn = vec![("masks", "Masks of every system on test images, seed 0 (white: cancer).".to_owned(), images.grid(plan)?)];
    if paper.iter().all(|(_, key)| systems.iter().any(|system| system.key == *key)) {
        let caption = "Boundaries on the tissue, as in the paper's Figure 4, seed 0.".to_owned();
        drawn.push(("boundaries", caption, images.boundaries(plan, &paper)?));
    }
    if let Some(best) = report.best() {
        let blue = Contour { name: best.name.to_owned(), ..Contour::intra_inter() };
        let contours = [(Contour::low_resolution(), LOW_RESOLUTION), (Contour::supervised(), SUPERVISED), (blue, best.key)];
        let caption = format!("The same for the best system without pixel masks, {}, and for full supervision, seed 0.", best.name);
        drawn.push(("boundaries-best", caption, images.boundaries(plan, &contours)?));
    }
    for (name, _, scene) in &drawn {
        atomic::write(&figures.join(format!("{name}.png")), &scene.png()?)?;
        atomic::write(&figures.join(format!("{name}.svg")), scene.svg()?.as_bytes())?;
    }
    atomic::write(&output.join("report.html"), report.html(&drawn)?.as_bytes())
}

struct Report<'a> {
    plan: &'a Plan,
    systems: &'a [System],
    done: &'a [Vec<Outcome>],
    comparison: Comparison,
    collapsed: BTreeMap<String, Vec<u64>>,
}

impl<'a> Report<'a> {
    fn new(plan: &'a Plan, systems: &'a [System], done: &'a [Vec<Outcome>]) -> Result<Self> {
        let counts: Vec<SystemCounts> = systems
            .iter()
            .enumerate()
            .map(|(i, system)| SystemCounts {
                key: system.key.to_owned(),
                name: system.name.to_owned(),
                seeds: (0_u64..).zip(done).map(|(seed, outcomes)| SeedCounts { seed, images: outcomes[i].images.clone() }).collect(),
            })
            .collect();
        let role = |key: &str| systems.iter().any(|system| system.key == key).then(|| key.to_owned());
        let roles = Roles { low_resolution: role(LOW_RESOLUTION), supervised: role(SUPERVISED).or_else(|| role(SUPERVISED_BY_BLOCK)) };
        let comparison = compare(&counts, &roles, Bootstrap::default())?;
        let collapsed = systems
            .iter()
            .enumerate()
            .map(|(i, system)| {
                let seeds = (0_u64..).zip(done).filter(|(_, outcomes)| outcomes[i].collapsed.is_some()).map(|(seed, _)| seed);
                (system.key.to_owned(), seeds.collect())
            })
            .collect();
        Ok(Self { plan, systems, done, comparison, collapsed })
    }

    /// Systems that collapsed or failed, with the numbers that show it.
    fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, system) in self.systems.iter().enumerate() {
            for (seed, outcomes) in self.done.iter().enumerate() {
                for (what, why) in [("collapsed", &outcomes[i].collapsed), ("training ended early", &outcomes[i].failed)] {
                    if let Some(why) = why {
                        lines.push(format!("{}, seed {seed}: {what}: {why}", system.name));
                    }
                }
            }
        }
        lines
    }

    /// The system without pixel masks whose masked Dice is highest, the low-resolution model aside.
    fn best(&self) -> Option<System> {
        let weak = self.systems.iter().copied().filter(|system| matches!(system.method, Method::Counts(..) | Method::Labels(_)));
        let dice = |system: &System| {
            let found = self.comparison.systems.iter().find(|summary| summary.key == system.key);
            found.and_then(|summary| summary.masked_dice.mean).unwrap_or(0.0)
        };
        weak.max_by(|a, b| dice(a).total_cmp(&dice(b)))
    }

    fn calibration(&self, seed: usize) -> Vec<Calibration> {
        let outcomes = self.systems.iter().zip(&self.done[seed]);
        outcomes.map(|(system, outcome)| Calibration { system: system.name.to_owned(), labels: outcome.labels.clone() }).collect()
    }

    fn settings(&self) -> Vec<(String, String)> {
        let (plan, budget) = (self.plan, &self.plan.budget);
        let list = |names: &[String]| format!("{}: {}", names.len(), names.join(", "));
        let um_per_px = if plan.um_per_px > 0.0 { format!("{} um/px", plan.um_per_px) } else { "not stated".to_owned() };
        let rows = [
            ("version", format!("lsr-train {}", plan.version)),
            ("images and masks, SHA-256", plan.data_digest.clone()),
            ("licence of the images", plan.data_licence.clone()),
            ("pixel size of the experiment", format!("{um_per_px} (images made {} times smaller)", budget.scale)),
            ("training images", list(&plan.training)),
            ("test images", list(&plan.test)),
            (
                "blocks",
                format!("{} px, {} px apart; band of the masked metrics: {} px", plan.block_px(), plan.stride_px(), plan.block_px()),
            ),
            ("annotated blocks for the prior", format!("{} of each label", budget.annotated)),
            ("network", format!("U-Net of width {}, depth {}", budget.width, budget.depth)),
            ("batch", format!("{} groups of {} blocks of one label", budget.groups, budget.group)),
            ("optimiser", format!("RMSprop, {} steps, learning rate {} falling to 0 along a cosine", budget.steps, budget.learning_rate)),
            ("seeds", format!("{} (each with its own classifier, annotated blocks, weights and batches)", self.done.len())),
        ];
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).filter(|(_, value)| !value.is_empty()).collect()
    }

    fn results(&self) -> (&'static str, Table) {
        ("Results", results_table(&self.comparison, &self.collapsed))
    }

    fn details(&self) -> [(&'static str, Table); 3] {
        let counts = "Predicted counts of the test images' blocks against the prior (seed 0)";
        [
            ("Share of the gap to full supervision that is closed", gap_table(&self.comparison)),
            ("Paired differences of masked Dice", differences_table(&self.comparison)),
            (counts, calibration_table(&self.calibration(SHOWN_SEED))),
        ]
    }

    fn markdown(&self) -> String {
        let mut text = String::from("# Label super-resolution: every system on the same images\n\nResearch use only.\n");
        let section = |heading: &str, table: &Table| format!("\n## {heading}\n\n{}\n", table.markdown().trim_end());
        let (heading, table) = self.results();
        text.push_str(&section(heading, &table));
        text.push_str("\n## Collapsed systems\n\n");
        let failures = self.failures();
        if failures.is_empty() {
            text.push_str("None: every system's predicted counts differ between labels.\n");
        }
        for failure in failures {
            text.push_str(&format!("- {failure}\n"));
        }
        for (heading, table) in self.details() {
            text.push_str(&section(heading, &table));
        }
        text.push_str("\n## Settings\n\n");
        for (name, value) in self.settings() {
            text.push_str(&format!("- {name}: {value}\n"));
        }
        text
    }

    fn html(&self, drawn: &[(&str, String, Scene)]) -> Result<String> {
        let mut plots = Vec::new();
        for calibration in self.calibration(SHOWN_SEED) {
            if let Some(svg) = calibration_plot(&calibration.labels)? {
                plots.push((calibration.system, svg));
            }
        }
        let figures = drawn.iter().map(|(_, caption, scene)| Ok((caption, scene.png()?))).collect::<Result<Vec<_>>>()?;
        let (results, rest) = (self.results(), self.details());
        let body = html! {
            (warnings_html(&self.failures()))
            h2 { (results.0) } (table_html(&results.1))
            h2 { "Masks" }
            @for (caption, png) in &figures { (png_figure(png, caption, caption)) }
            @for (heading, table) in &rest { h2 { (heading) } (table_html(table)) }
            h2 { "Calibration" }
            p { "Predicted counts of the test images' blocks against the count prior, by label; seed 0." }
            div.gallery { @for (system, svg) in &plots { (svg_figure(svg, system, system)) } }
            h2 { "Settings" }
            (pairs_html(&self.settings()))
        };
        Ok(html_page("Label super-resolution: every system on the same images", &body))
    }
}

/// Test images with the masks of every system.
struct Images<'a> {
    systems: &'a [System],
    names: Vec<String>,
    tissue: Vec<RgbImage>,
    truth: Vec<GrayImage>,
    /// By system, then by image.
    masks: Vec<Vec<GrayImage>>,
}

impl<'a> Images<'a> {
    fn read(plan: &Plan, systems: &'a [System], data: &Path, output: &Path) -> Result<Self> {
        let data = Dataset::open(&[data.to_owned()])?;
        let tissue = plan.test.iter().map(|name| data.image(name)).collect::<Result<Vec<_>>>()?;
        let truth = plan.test.iter().zip(&tissue).map(|(name, image)| data.mask(name, image.dimensions())).collect::<Result<_>>()?;
        let masks = systems
            .iter()
            .map(|system| {
                let folder = output.join(format!("seed-{SHOWN_SEED}")).join(system.key).join("masks");
                plan.test.iter().map(|name| read_mask(&folder.join(format!("{name}.png")))).collect()
            })
            .collect::<Result<_>>()?;
        Ok(Self { systems, names: plan.test.clone(), tissue, truth, masks })
    }

    fn grid(&self, plan: &Plan) -> Result<Scene> {
        let columns: Vec<String> =
            std::iter::once("ground truth").chain(self.systems.iter().map(|system| system.name)).map(str::to_owned).collect();
        let masks: Vec<Vec<Option<&GrayImage>>> = (0..self.names.len())
            .map(|i| std::iter::once(&self.truth[i]).chain(self.masks.iter().map(|masks| &masks[i])).map(Some).collect())
            .collect();
        let rows: Vec<GridRow> = (0..self.names.len().min(GRID_ROWS))
            .map(|i| GridRow { name: &self.names[i], image: &self.tissue[i], masks: &masks[i] })
            .collect();
        mask_grid(&columns, &rows, &GridOptions { panel_px: 160, um_per_px: stated(plan), ..GridOptions::default() })
    }

    /// The boundaries of some systems, and the true ones above them.
    fn boundaries(&self, plan: &Plan, drawn: &[(Contour, &str)]) -> Result<Scene> {
        let contours: Vec<Contour> = drawn.iter().map(|(contour, _)| contour.clone()).chain([Contour::ground_truth()]).collect();
        let of = |key: &str| self.systems.iter().position(|system| system.key == key);
        let masks: Vec<Vec<Option<&GrayImage>>> = (0..self.names.len())
            .map(|i| drawn.iter().map(|(_, key)| of(key).map(|system| &self.masks[system][i])).chain([Some(&self.truth[i])]).collect())
            .collect();
        let panels: Vec<BoundaryPanel> =
            (0..self.names.len()).map(|i| BoundaryPanel { name: &self.names[i], image: &self.tissue[i], masks: &masks[i] }).collect();
        let scale = (400 / self.tissue[0].width().max(1)).clamp(1, 4);
        boundary_figure(&contours, &panels, &BoundaryOptions { scale, columns: 4, um_per_px: stated(plan), ..BoundaryOptions::default() })
    }
}

fn stated(plan: &Plan) -> Option<f64> {
    (plan.um_per_px > 0.0).then_some(plan.um_per_px)
}

fn read_mask(path: &Path) -> Result<GrayImage> {
    Ok(image::open(path).map_err(|error| Error::file(path, error.to_string()))?.into_luma8())
}
