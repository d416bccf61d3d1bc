//! The regions of a mask as QuPath and others read them: GeoJSON (RFC 7946) with a polygon for each, in pixels of the image.

use super::outline::{Corner, Region};
use super::{NOTICE, Settings};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

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
    pub(crate) settings: Settings,
    /// Name of the class that is drawn.
    pub(crate) class: &'a str,
    /// Pixel size of the image.
    pub(crate) um_per_px: f64,
}

#[derive(Serialize)]
struct Collection<'a> {
    r#type: &'static str,
    /// A foreign member, as the RFC has it: other programs pass it by.
    lsr_edge: Provenance<'a>,
    features: Vec<Feature<'a>>,
}

#[derive(Serialize)]
struct Provenance<'a> {
    notice: &'static str,
    version: &'static str,
    input_sha256: &'a str,
    model_sha256: &'a str,
    um_per_px: f64,
    settings: Settings,
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
    coordinates: Vec<&'a [Corner]>,
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

/// The file's text. The same regions of the same origin give the same bytes.
pub(crate) fn geojson(regions: &[Region], origin: Origin<'_>) -> serde_json::Result<Vec<u8>> {
    let named = named(origin);
    let features = regions.iter().enumerate().map(|(number, region)| Feature {
        r#type: "Feature",
        id: id(named.clone(), number),
        geometry: Geometry {
            r#type: "Polygon",
            coordinates: std::iter::once(&region.shell).chain(&region.holes).map(Vec::as_slice).collect(),
        },
        properties: Properties {
            object_type: "annotation",
            is_locked: false,
            classification: Classification { name: origin.class, color: COLOUR },
            measurements: BTreeMap::from([
                ("Area px^2", region.pixels as f64),
                ("Area µm^2", region.pixels as f64 * origin.um_per_px * origin.um_per_px),
                ("Mean probability", region.probability as f64 / (255.0 * region.pixels as f64)),
            ]),
        },
    });
    let Origin { input_sha256, model_sha256, settings, um_per_px, .. } = origin;
    let lsr_edge = Provenance { notice: NOTICE, version: crate::VERSION, input_sha256, model_sha256, um_per_px, settings };
    let mut text = serde_json::to_vec(&Collection { r#type: "FeatureCollection", lsr_edge, features: features.collect() })?;
    text.push(b'\n');
    Ok(text)
}

/// A hash of what all regions follow from.
fn named(origin: Origin<'_>) -> Sha256 {
    let settings = serde_json::to_string(&origin.settings).unwrap_or_default();
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
