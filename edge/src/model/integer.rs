//! Runs a network in integers: RGB bytes in, cancer probabilities as bytes out.

use super::integer_op::IntegerNetwork;
use super::metadata::Metadata;
use super::network::expected_logits;
use crate::error::ModelError;
use crate::int8::{DEFAULT_ARENA_BYTES, InputTable, Isa, NetworkError, Output, Program, Rgb, Session, Split};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory of one image beyond which it is refused. A U-Net of width 64 needs some 0.5 GB for an image 16,384 px wide.
const MAX_ARENA_BYTES: usize = 4 << 30;

/// Sessions kept for the next image of their size.
const SESSIONS: usize = 8;

/// A network that was turned into integers. `&self` runs from any number of threads.
pub(super) struct IntegerEngine {
    program: Arc<Program>,
    idle: Mutex<Vec<Session>>,
}

impl IntegerEngine {
    /// Adds what the metadata say about the image and the classes.
    pub(super) fn new(operation: &IntegerNetwork, metadata: &Metadata) -> Result<Self, ModelError> {
        let (channels, classes) = (operation.program.output_channels(), metadata.class_names.len());
        if channels != classes && !(channels == 1 && classes == 2) {
            return Err(expected_logits(classes, format!("{channels} channels")));
        }
        let (own, stated) = (operation.program.network().alignment(), metadata.alignment as usize);
        if stated % own != 0 {
            let (what, expected) = ("metadata key 'lsr.alignment'".to_owned(), format!("a multiple of {own}, from the network's poolings"));
            return Err(ModelError::Interface { what, expected, found: stated.to_string() });
        }
        let input = InputTable::new(metadata.pixel_mean, metadata.pixel_std, operation.input.scale, operation.input.zero_point);
        let (class, logits) = (metadata.mask_class(), operation.logits);
        // A single logit speaks for the second of two classes.
        let output = match channels {
            1 => Output::sigmoid(logits.scale, logits.zero_point, class == 1),
            _ => Output::softmax(logits.scale, class),
        };
        let program = operation.program.with_tables(input, output).map_err(refused)?;
        Ok(Self { program: Arc::new(program), idle: Mutex::new(Vec::with_capacity(SESSIONS)) })
    }

    /// The program.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// Packs it for another instruction set.
    pub(super) fn use_isa(&mut self, isa: Isa) -> Result<(), ModelError> {
        self.program = Arc::new(self.program.with_isa(isa).map_err(refused)?);
        self.idle = Mutex::new(Vec::with_capacity(SESSIONS));
        Ok(())
    }

    /// Bytes that an image of a size takes on so many threads, the weights aside.
    pub(super) fn arena_bytes(&self, size: [usize; 2], threads: usize) -> Result<usize, ModelError> {
        Ok(self.program.plan(size, DEFAULT_ARENA_BYTES, threads).map_err(refused)?.arena_bytes())
    }

    /// Probabilities of the window `size` of an image, as bytes. Without an idle session of the size memory is taken, and kept; otherwise
    /// nothing is allocated. `go_on` hears after each layer and band what share is done, and says whether to go on; gives whether it went through.
    pub(super) fn run(
        &self,
        image: Rgb<'_>,
        size: [usize; 2],
        out: &mut [u8],
        split: &impl Split,
        go_on: &mut dyn FnMut(f64) -> bool,
    ) -> Result<bool, ModelError> {
        let mut session = self.session(size, split.threads())?;
        let plan = session.plan();
        let layers = self.program.network().layers.len();
        let bands = plan.height.div_ceil(plan.band) as f64;
        let (mut band, mut last) = (0.0, 0.0);
        let through = session.run(image, out, split, &mut |layer| {
            if layer == layers + 1 {
                band += 1.0;
            }
            let within = if layer < layers { (layer + 1) as f64 / (layers + 1) as f64 } else { 0.0 };
            last = ((band + within) / bands).clamp(last, 1.0);
            go_on(last)
        });
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= SESSIONS {
            idle.remove(0);
        }
        idle.push(session);
        Ok(through)
    }

    fn session(&self, [height, width]: [usize; 2], threads: usize) -> Result<Session, ModelError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |session: &Session| {
            let plan = session.plan();
            [plan.height, plan.width] == [height, width] && plan.threads() == threads
        };
        if let Some(at) = idle.iter().position(fits) {
            return Ok(idle.remove(at));
        }
        // Sessions of other sizes give their memory back before this one takes its own.
        idle.retain(|session| [session.plan().height, session.plan().width] == [height, width]);
        drop(idle);
        let plan = self.program.plan([height, width], DEFAULT_ARENA_BYTES, threads).map_err(refused)?;
        if plan.arena_bytes() > MAX_ARENA_BYTES {
            let (node, bytes) = ("the integer network".to_owned(), plan.arena_bytes() as u64);
            return Err(ModelError::Memory { node, width, height, bytes, max: MAX_ARENA_BYTES as u64 });
        }
        Ok(Session::new(Arc::clone(&self.program), plan))
    }
}

fn refused(error: NetworkError) -> ModelError {
    ModelError::Node { node: error.layer, problem: error.problem }
}
