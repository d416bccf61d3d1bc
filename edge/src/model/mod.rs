//! A model file: bytes -> contract -> metadata -> network. What comes out of here can be run; everything else was refused by name.

mod contract;
mod metadata;
mod network;

pub use contract::{Contents, OPERATORS};
pub use metadata::{FORMAT, Metadata, Provenance};

use crate::digest::sha256;
use crate::error::{Error, ModelError};
use crate::guard::guarded;
use crate::read::read_file;
use network::Network;
use serde::Serialize;
use std::path::Path;
use tract_onnx::prelude::Framework;

/// The model that is used when none is named.
const EMBEDDED: &[u8] = include_bytes!("../../models/default.onnx");

/// Files beyond this are not read.
const MAX_BYTES: u64 = 512 << 20;

/// A model that was checked and can be run.
pub struct Model {
    card: Card,
    network: Network,
}

/// What a model is; `lsr-edge inspect` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// Its file, or "embedded".
    pub name: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// What it says about itself.
    pub metadata: Metadata,
    /// What was found in it.
    pub contents: Contents,
}

impl Model {
    /// The model inside this program.
    ///
    /// # Errors
    /// [`Error::Model`]; the tests make sure that it does not happen.
    pub fn embedded() -> Result<Self, Error> {
        Self::from_bytes("embedded", EMBEDDED)
    }

    /// A model file.
    ///
    /// # Errors
    /// [`Error::Read`] and its kin for the file, [`Error::Model`] for what is in it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::from_bytes(&path.to_string_lossy(), &read_file(path, MAX_BYTES)?)
    }

    /// A model from memory; `name` is only for messages and records.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        Self::check(name, bytes).map_err(|source| Error::Model { name: name.to_owned(), source })
    }

    fn check(name: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.is_empty() {
            return Err(ModelError::Empty);
        }
        let proto = guarded(|| tract_onnx::onnx().proto_model_for_read(&mut &*bytes))
            .and_then(|result| result.map_err(|error| error.root_cause().to_string()))
            .map_err(|reason| ModelError::NotOnnx { reason })?;
        let contents = contract::check(&proto)?;
        let metadata = Metadata::parse(proto.metadata_props.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())))?;
        let network = Network::new(proto, &metadata)?;
        let card = Card { name: name.to_owned(), sha256: sha256(bytes), bytes: bytes.len() as u64, metadata, contents };
        Ok(Self { card, network })
    }

    /// What it is.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// What it says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.card.metadata
    }

    /// Cancer probabilities, row by row, of a `height` x `width` image of RGB bytes in one pass.
    ///
    /// Both sides must be multiples of the model's alignment. Bytes in, so that an integer network needs no other interface.
    ///
    /// # Errors
    /// [`Error::Model`]: the bytes do not fit the size, the runtime failed, or the network gave something that is not a number.
    pub fn probabilities(&self, rgb: &[u8], height: u32, width: u32) -> Result<Vec<f32>, Error> {
        let size = [height as usize, width as usize];
        let step = self.card.metadata.alignment as usize;
        if size.iter().any(|&side| side == 0 || side % step != 0) || rgb.len() != 3 * size[0] * size[1] {
            let source = ModelError::Interface {
                what: "image".to_owned(),
                expected: format!("3 bytes for each pixel of an image whose sides are multiples of {step}"),
                found: format!("{} bytes for {width} x {height} px", rgb.len()),
            };
            return Err(Error::Model { name: self.card.name.clone(), source });
        }
        self.network.probabilities(rgb, size).map_err(|source| Error::Model { name: self.card.name.clone(), source })
    }
}
