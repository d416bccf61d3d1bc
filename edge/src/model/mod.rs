//! A model file: bytes -> contract -> metadata -> network. What comes out of here can be run; everything else was refused by name.

mod contract;
mod float;
mod integer;
mod integer_op;
mod learned;
mod metadata;
mod network;
mod qdq;
mod rewrite;
mod scales;

pub use contract::{Contents, OPERATORS};
pub use learned::LearnedFrom;
pub(crate) use metadata::mask_class_of;
pub use metadata::{FORMAT, Metadata, Provenance};
pub use rewrite::Refusal;

use crate::digest::sha256;
use crate::error::{Error, ModelError};
use crate::guard::guarded;
use crate::int8::{Isa, OneThread, Program, Rgb, Split};
use crate::read::read_file;
use crate::tile::{DEFAULT_TILE, STREAMED_TILE};
use network::Network;
use serde::Serialize;
use std::path::Path;
use tract_onnx::prelude::Framework;

/// The model that is used when none is named.
const EMBEDDED: &[u8] = include_bytes!("../../models/default.int8.onnx");

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
    /// How it is run.
    pub execution: Execution,
}

/// How a network is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// `int8` or `float32`.
    pub arithmetic: &'static str,
    /// Instruction set of the integer kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isa: Option<&'static str>,
    /// Why a quantised network is not run in integers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_integer: Vec<Refusal>,
    /// Memory for one image, weights aside; integer networks only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<ImageMemory>,
}

/// What an image takes in an integer network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImageMemory {
    /// Height and width, pixels, rounded up to the network's alignment.
    pub side: usize,
    /// Bytes of the arena on one thread: all that is allocated, before the first image.
    pub arena_bytes: usize,
}

/// Sides of square images that [`Execution::memory`] lists, pixels.
const LISTED: [usize; 3] = [240, 512, 1200];

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
        let (network, refusals) = Network::new(proto, &metadata)?;
        let execution = Execution { arithmetic: "float32", isa: None, not_integer: refusals, memory: Vec::new() };
        let card = Card { name: name.to_owned(), sha256: sha256(bytes), bytes: bytes.len() as u64, metadata, contents, execution };
        let mut model = Self { card, network };
        model.describe_integers()?;
        Ok(model)
    }

    /// Notes on the card how an integer network is run.
    fn describe_integers(&mut self) -> Result<(), ModelError> {
        if let Network::Integer(engine) = &self.network {
            let step = self.card.metadata.alignment as usize;
            let listed = LISTED.map(|side| {
                let side = side.next_multiple_of(step);
                engine.arena_bytes([side; 2], 1).map(|arena_bytes| ImageMemory { side, arena_bytes })
            });
            let execution = &mut self.card.execution;
            execution.arithmetic = "int8";
            execution.isa = Some(engine.program().isa().name());
            execution.memory = listed.into_iter().collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// The integer network, where this is one.
    pub fn program(&self) -> Option<&Program> {
        match &self.network {
            Network::Integer(engine) => Some(engine.program()),
            Network::Float(_) => None,
        }
    }

    /// Runs an integer network with another instruction set than the fastest. All give the same bytes.
    ///
    /// # Errors
    /// [`Error::Model`]: a float network, or an instruction set that this processor lacks.
    pub fn use_isa(&mut self, isa: Isa) -> Result<(), Error> {
        let changed = match &mut self.network {
            Network::Integer(engine) => engine.use_isa(isa),
            Network::Float(_) => {
                let (expected, found) = ("a network in integers, for which --isa chooses kernels".to_owned(), "one in float32".to_owned());
                Err(ModelError::Interface { what: "the model".to_owned(), expected, found })
            }
        };
        changed.and_then(|()| self.describe_integers()).map_err(|source| self.error(source))
    }

    /// Longest side that is run in one pass where the user does not say: an integer network streams, so its memory grows with the width only.
    pub fn default_tile(&self) -> u32 {
        if self.program().is_some() { STREAMED_TILE } else { DEFAULT_TILE }
    }

    /// Most bytes that an image of this height and width takes on one thread, the weights aside.
    ///
    /// # Errors
    /// [`Error::Model`] for an image that is too large.
    pub(crate) fn image_bytes(&self, size: [usize; 2]) -> Result<u64, Error> {
        let bytes = match &self.network {
            Network::Integer(engine) => engine.arena_bytes(size, 1).map(|bytes| bytes as u64),
            Network::Float(network) => network.activation_bytes(size),
        };
        bytes.map_err(|source| self.error(source))
    }

    fn error(&self, source: ModelError) -> Error {
        Error::Model { name: self.card.name.clone(), source }
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
    /// Both sides must be multiples of the model's alignment. An integer network gives bytes, here divided by 255.
    ///
    /// # Errors
    /// [`Error::Model`]: the bytes do not fit the size, the runtime failed, or the network gave something that is not a number.
    pub fn probabilities(&self, rgb: &[u8], height: u32, width: u32) -> Result<Vec<f32>, Error> {
        let size = [height as usize, width as usize];
        if !self.fits(size) || rgb.len() != 3 * size[0] * size[1] {
            return Err(self.wrong_size(rgb.len(), size));
        }
        match &self.network {
            Network::Float(network) => network.probabilities(rgb, size).map_err(|source| self.error(source)),
            Network::Integer(_) => {
                let mut bytes = vec![0; size[0] * size[1]];
                let image = Rgb { pixels: rgb, width: size[1], origin: [0, 0] };
                self.probability_bytes(image, size, &mut bytes, &OneThread, &mut |_| true)?;
                Ok(bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect())
            }
        }
    }

    /// Cancer probabilities as bytes, `round(255 p)`, of the window of `[height, width]` pixels at the image's origin; beyond the right and lower
    /// border the last pixels repeat. After the first image of a size nothing is allocated.
    ///
    /// `go_on` hears the share that is done, in [0, 1], and says whether to go on. Gives whether it went through.
    ///
    /// # Errors
    /// [`Error::Model`]: a float network; sides that are no multiples of the alignment; slices that do not fit.
    pub fn probability_bytes(
        &self,
        image: Rgb<'_>,
        size: [usize; 2],
        out: &mut [u8],
        split: &impl Split,
        go_on: &mut dyn FnMut(f64) -> bool,
    ) -> Result<bool, Error> {
        let rows = image.pixels.len().checked_div(3 * image.width).unwrap_or(0);
        if !self.fits(size) || rows == 0 || image.pixels.len() != 3 * image.width * rows || out.len() != size[0] * size[1] {
            return Err(self.wrong_size(image.pixels.len(), size));
        }
        match &self.network {
            Network::Integer(engine) => engine.run(image, size, out, split, go_on).map_err(|source| self.error(source)),
            Network::Float(_) => {
                let (expected, found) = ("a network in integers".to_owned(), "one in float32".to_owned());
                Err(self.error(ModelError::Interface { what: "the model".to_owned(), expected, found }))
            }
        }
    }

    fn fits(&self, size: [usize; 2]) -> bool {
        let step = self.card.metadata.alignment as usize;
        size.iter().all(|&side| side > 0 && side % step == 0)
    }

    fn wrong_size(&self, bytes: usize, [height, width]: [usize; 2]) -> Error {
        let step = self.card.metadata.alignment;
        self.error(ModelError::Interface {
            what: "image".to_owned(),
            expected: format!("3 bytes for each pixel of an image whose sides are multiples of {step}"),
            found: format!("{bytes} bytes for {width} x {height} px"),
        })
    }
}
