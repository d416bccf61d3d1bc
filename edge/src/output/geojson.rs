//! The regions of a mask as QuPath and others read them: GeoJSON (RFC 7946) with a polygon for each, in pixels of the image.

use super::NOTICE;
use super::outline::{Corner, Region};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;

/// Colour of cancer, red, green, blue: that of QuPath's class "Tumor".
const COLOUR: [u8; 3] = [200, 0, 0];

/// What the regions follow from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// SHA-256 of the image's file.
    pub(crate) input_sha256: &'a str,
    /// SHA-256 of the model's file.
    pub(crate) model_sha256: &'a str,
    /// What the result depends on besides.
    pub(crate) settings: &'a Value,
    /// Name of the class that is drawn.
    pub(crate) class: &'a str,
    /// Pixel size of the image.
    pub(crate) um_per_px: f64,
    /// Pixels of the image to one of the mask, in x and y; corners are in pixels of the image.
    pub(crate) scale: [f64; 2],
    /// Width and height of the image, which no corner lies beyond.
    pub(crate) size: [u32; 2],
}

#[derive(Serialize)]
struct Collection<'a> {
    r#type: &'static str,
    /// A foreign member, as the RFC has it: other programs pass it by.
    lsr_edge: Provenance<'a>,
    features: Features<'a>,
}

/// Serialised one by one: a slide may have hundreds of thousands.
struct Features<'a> {
    regions: &'a [Region],
    origin: Origin<'a>,
}

#[derive(Serialize)]
struct Provenance<'a> {
    notice: &'static str,
    version: &'static str,
    input_sha256: &'a str,
    model_sha256: &'a str,
    um_per_px: f64,
    settings: &'a Value,
}

#[derive(Serialize)]
struct Feature<'a> {
    r#type: &'static str,
    id: String,
    geometry: Geometry<'a>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Geometry<'a> {
    r#type: &'static str,
    coordinates: Vec<Ring<'a>>,
}

/// A ring of corners of the mask's pixels, written in pixels of the image.
struct Ring<'a> {
    corners: &'a [Corner],
    scale: [f64; 2],
    size: [u32; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    object_type: &'static str,
    is_locked: bool,
    classification: Classification<'a>,
    measurements: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct Classification<'a> {
    name: &'a str,
    color: [u8; 3],
}

/// Writes the file. The same regions of the same origin give the same bytes.
pub(crate) fn write_geojson(to: impl Write, regions: &[Region], origin: Origin<'_>) -> serde_json::Result<()> {
    let Origin { input_sha256, model_sha256, settings, um_per_px, .. } = origin;
    let lsr_edge = Provenance { notice: NOTICE, version: crate::VERSION, input_sha256, model_sha256, um_per_px, settings };
    let mut to = to;
    serde_json::to_writer(&mut to, &Collection { r#type: "FeatureCollection", lsr_edge, features: Features { regions, origin } })?;
    to.write_all(b"\n").and_then(|()| to.flush()).map_err(serde_json::Error::io)
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { regions, origin } = self;
        let named = named(*origin);
        let [wide, high] = origin.scale;
        let mut sequence = serializer.serialize_seq(Some(regions.len()))?;
        for (number, region) in regions.iter().enumerate() {
            let pixels = region.pixels as f64 * wide * high;
            let rings = std::iter::once(&region.shell).chain(&region.holes);
            let coordinates = rings.map(|corners| Ring { corners, scale: origin.scale, size: origin.size }).collect();
            sequence.serialize_element(&Feature {
                r#type: "Feature",
                id: id(named.clone(), number),
                geometry: Geometry { r#type: "Polygon", coordinates },
                properties: Properties {
                    object_type: "annotation",
                    is_locked: false,
                    classification: Classification { name: origin.class, color: COLOUR },
                    measurements: BTreeMap::from([
                        ("Area px^2", pixels),
                        ("Area µm^2", pixels * origin.um_per_px * origin.um_per_px),
                        ("Mean probability", region.probability as f64 / (255.0 * region.pixels as f64)),
                    ]),
                },
            })?;
        }
        sequence.end()
    }
}

impl Serialize for Ring<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.scale == [1.0; 2] {
            return self.corners.serialize(serializer);
        }
        // A hundredth of a pixel is finer than any mask; different corners stay different, as pixels of a mask are no smaller than that.
        let place = |corner: &Corner| -> [f64; 2] {
            std::array::from_fn(|axis| {
                let position = (f64::from(corner[axis]) * self.scale[axis]).min(f64::from(self.size[axis]));
                (100.0 * position).round() / 100.0
            })
        };
        serializer.collect_seq(self.corners.iter().map(place))
    }
}

/// A hash of what all regions follow from.
fn named(origin: Origin<'_>) -> Sha256 {
    let settings = origin.settings.to_string();
    [crate::VERSION, origin.input_sha256, origin.model_sha256, &settings].into_iter().fold(Sha256::new(), with)
}

fn with(hash: Sha256, part: &str) -> Sha256 {
    hash.chain_update(part.as_bytes()).chain_update([0])
}

/// A UUID of version 8 (RFC 9562: of whatever its maker likes) that follows from what the region follows from.
fn id(named: Sha256, number: usize) -> String {
    let hash = with(named, &number.to_string());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
