//! The pixel size that a TIFF file states.

use super::stated;
use crate::field::{PixelSize, PixelSizeSource};

/// Micrometres per pixel of microscopes. Resolution tags of image editors (72 or 300 dpi are 353 and 85 um) lie beyond.
const OF_MICROSCOPES: std::ops::RangeInclusive<f64> = 0.01..=50.0;

/// How much the sides of a pixel may differ.
const SQUARE: f64 = 0.02;

/// From the description of the first image (Aperio's `MPP`, OME's `PhysicalSizeX`), or else from its resolution tags.
///
/// - `resolution`: pixels per unit in x and y, and the unit (2 is an inch, 3 a centimetre)
///
/// # Errors
/// Pixels that are not square.
pub(super) fn of_tiff(description: &str, resolution: Option<([f64; 2], u16)>) -> Result<Option<PixelSize>, String> {
    if let Some(um) = aperio(description) {
        return Ok(Some(stated(um, PixelSizeSource::Aperio)));
    }
    if let Some(sides) = ome(description) {
        return square(sides).map(|um| Some(stated(um, PixelSizeSource::Ome)));
    }
    let unit_um = |unit| match unit {
        2 => Some(25_400.0),
        3 => Some(10_000.0),
        _ => None,
    };
    let sides = resolution.and_then(|(per_unit, unit)| unit_um(unit).map(|um| per_unit.map(|pixels| um / pixels)));
    match sides {
        Some(sides) if sides.iter().all(|side| OF_MICROSCOPES.contains(side)) => {
            square(sides).map(|um| Some(stated(um, PixelSizeSource::TiffResolution)))
        }
        _ => Ok(None),
    }
}

/// One number for both sides.
pub(super) fn square([x, y]: [f64; 2]) -> Result<f64, String> {
    if (x - y).abs() <= SQUARE * x.max(y) { Ok(f64::midpoint(x, y)) } else { Err(format!("pixels of {x} x {y} um: they are not square")) }
}

fn possible(um: f64) -> Option<f64> {
    OF_MICROSCOPES.contains(&um).then_some(um)
}

/// `Aperio ...|AppMag = 20|MPP = 0.4990`
fn aperio(description: &str) -> Option<f64> {
    if !description.starts_with("Aperio") {
        return None;
    }
    let value = |part: &str| part.trim().strip_prefix("MPP")?.trim_start().strip_prefix('=')?.trim().parse().ok();
    description.split('|').find_map(value).and_then(possible)
}

/// `<OME ...><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeXUnit="µm" ...`; the unit is a micrometre where none is given.
fn ome(description: &str) -> Option<[f64; 2]> {
    if !description.contains("<OME") {
        return None;
    }
    let document = roxmltree::Document::parse(description).ok()?;
    let pixels = document.descendants().find(|node| node.has_tag_name(("", "Pixels")) || node.tag_name().name() == "Pixels")?;
    let side = |name: &str| {
        let unit = match pixels.attribute(format!("{name}Unit").as_str()) {
            None | Some("µm" | "\u{3bc}m") => 1.0,
            Some("nm") => 1e-3,
            Some("mm") => 1e3,
            Some("cm") => 1e4,
            Some(_) => return None,
        };
        possible(pixels.attribute(name)?.parse::<f64>().ok()? * unit)
    };
    Some([side("PhysicalSizeX")?, side("PhysicalSizeY")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_come_before_tags() {
        let of = |description, resolution| of_tiff(description, resolution).map(|found| found.map(|size| (size.um_per_px, size.source)));
        let aperio = "Aperio Image Library v11\r\n46000x32914 (240x240) JPEG/RGB Q=30|AppMag = 20|MPP = 0.4990|Left = 25.6";
        assert_eq!(of(aperio, Some(([1.0, 1.0], 3))), Ok(Some((0.499, PixelSizeSource::Aperio))));
        let ome = r#"<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
            <Pixels SizeX="5" PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.25"/></Image></OME>"#;
        assert_eq!(of(ome, None), Ok(Some((0.25, PixelSizeSource::Ome))));
        assert_eq!(of("", Some(([20_000.0, 20_000.0], 3))), Ok(Some((0.5, PixelSizeSource::TiffResolution))));
        // What image editors write says nothing.
        assert_eq!(of("", Some(([72.0, 72.0], 2))), Ok(None));
        assert_eq!(of("Aperio, without it", Some(([0.0, 0.0], 3))), Ok(None));
        assert!(of("", Some(([20_000.0, 10_000.0], 3))).is_err_and(|error| error.contains("not square")));
    }
}
