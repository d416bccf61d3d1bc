//! What can go wrong: one enum for files and flags, one for model files. Every variant carries the name and the value found.

use std::io;
use std::path::PathBuf;

/// Everything that stops a run or a single input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}{}", path.display(), full_disk(source))]
    Write {
        /// The file that was to appear.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An output folder that cannot be made or written to.
    #[error("output folder {} cannot be written to; choose another with --output", path.display())]
    OutputFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, pipe or device where a file is needed.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// A folder without any image in it.
    #[error("folder {} has no PNG, JPEG or TIFF images and no slides (its subfolders are not searched)", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// Bytes that are none of the image formats.
    #[error("not a PNG, JPEG or TIFF image (the content decides, not the file name)")]
    NotAnImage,
    /// An image that the decoder refuses.
    #[error("damaged or unsupported image: {reason}")]
    Decode {
        /// The decoder's words.
        reason: String,
    },
    /// A whole slide that cannot be read.
    #[error("damaged or unsupported slide: {reason}")]
    Slide {
        /// What is wrong with it.
        reason: String,
    },
    /// A whole slide without a pixel size.
    #[error("it states no pixel size: give --um-per-px-if-missing X for inputs that state none, or --um-per-px X for all of them")]
    NoPixelSize,
    /// A source of fields that cannot be used, or not any more.
    #[error("source {source_name}: {reason}")]
    Source {
        /// What it is called.
        source_name: String,
        /// Why.
        reason: String,
    },
    /// A store of sessions that cannot be read or written.
    #[error("store {}: {reason}", path.display())]
    Store {
        /// Its database, or a file of it.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A service that cannot begin.
    #[error("http://{address}: {reason}")]
    Serve {
        /// Its address.
        address: String,
        /// Why.
        reason: String,
    },
    /// A session that is not in a store.
    #[error("store {}: {reason}", store.display())]
    NoSession {
        /// The database.
        store: PathBuf,
        /// Why.
        reason: String,
    },
    /// Fields that cannot be put together.
    #[error("session {session}: {reason}")]
    Stitch {
        /// The session.
        session: String,
        /// Why.
        reason: String,
    },
    /// A label without a count.
    #[error("label {label}: the count prior has no such label (--prior names another one)")]
    NotInPrior {
        /// The label.
        label: u8,
    },
    /// Another session than the one to go on with.
    #[error("session {session} is another one: {differences}; it goes on only with the settings, model and version that it was begun with")]
    OtherSession {
        /// The session that is there.
        session: String,
        /// What differs: name, value there, value here.
        differences: String,
    },
    /// More pixels than fit the memory bound, as stored or after resampling.
    #[error("{what} has {width} x {height} px, more than {} Mpx: cut it into smaller fields", max_pixels / 1_000_000)]
    TooLarge {
        /// Which image: as stored or resampled.
        what: &'static str,
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
        /// The limit.
        max_pixels: u64,
    },
    /// A file beyond the size that is read into memory.
    #[error("{} has {bytes} bytes, more than the {max} that are read", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Two inputs whose outputs would have the same names.
    #[error("would write the same files as {} ({name}.mask.png and so on); rename one of them or use another --output", other.display())]
    NameClash {
        /// The input that has the name already.
        other: PathBuf,
        /// The name.
        name: String,
    },
    /// Outputs that exist but were made from another image.
    #[error("{} is about another image ({other}); use --overwrite to replace it or another --output", record.display())]
    OtherImage {
        /// The record.
        record: PathBuf,
        /// The image it is about.
        other: String,
    },
    /// A tile size that cannot be used with this model.
    #[error("--tile {tile}: expected at least {min} (twice the model's alignment)")]
    TileTooSmall {
        /// The tile size asked for.
        tile: u32,
        /// The smallest that works.
        min: u32,
    },
    /// An overlap that leaves tiles no way forward.
    #[error("--overlap {overlap}: expected at most {max} with --tile {tile}")]
    OverlapTooLarge {
        /// The overlap asked for.
        overlap: u32,
        /// The tile size.
        tile: u32,
        /// The largest that works.
        max: u32,
    },
    /// A flag outside its range.
    #[error("{flag} {value}: expected {expected}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The value found.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// An instruction set that does not exist, or not on this processor.
    #[error("--isa {name}: expected one that this processor has: {available}")]
    Isa {
        /// The name given.
        name: String,
        /// Those that can be used.
        available: String,
    },
    /// A processor that does not compute what it should.
    #[error("self-test with {isa}: probabilities of SHA-256 {found}, expected {expected}: do not use the masks of this machine")]
    SelfTest {
        /// The instruction set.
        isa: &'static str,
        /// What was computed.
        found: String,
        /// What is right.
        expected: &'static str,
    },
    /// A measurement that failed.
    #[error("bench: {reason}")]
    Bench {
        /// Why.
        reason: String,
    },
    /// A model that cannot be used.
    #[error("model {name}")]
    Model {
        /// Its file, or "embedded".
        name: String,
        /// Why.
        source: ModelError,
    },
    /// Moments of the probabilities that the core refuses.
    #[error("cancer fraction")]
    Moments(#[from] lsr_core::Error),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Why a model file is refused, or its run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of zero bytes.
    #[error("the file is empty")]
    Empty,
    /// Bytes that are no ONNX protobuf.
    #[error("not an ONNX file: {reason}")]
    NotOnnx {
        /// The parser's words.
        reason: String,
    },
    /// Weights stored outside the file.
    #[error("tensor '{tensor}' is stored in another file (external data); save the model as one file")]
    ExternalData {
        /// The tensor.
        tensor: String,
    },
    /// A tensor whose declared shape or type does not fit its data.
    #[error("tensor '{tensor}': {problem}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// An operator set outside what the runtime was tested with.
    #[error("operator set {found}: expected {min} to {max}; export with one of these")]
    Opset {
        /// The version found, 0 when none is stated.
        found: i64,
        /// Oldest accepted.
        min: i64,
        /// Newest accepted.
        max: i64,
    },
    /// An operator that is not run here.
    #[error("node '{node}' is a {operator}, which this runtime does not run (see `lsr-edge inspect --help` for what it does)")]
    Operator {
        /// The node.
        node: String,
        /// Its operator, with its domain if it is not a standard one.
        operator: String,
    },
    /// A node that cannot be wired or configured as it says.
    #[error("node '{node}': {problem}")]
    Node {
        /// The node.
        node: String,
        /// What is wrong.
        problem: String,
    },
    /// An input or output that is not as agreed.
    #[error("{what}: expected {expected}, found {found}")]
    Interface {
        /// Which input or output.
        what: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A required metadata key that is not there.
    #[error("metadata key '{key}' is missing; `lsr-train export` writes it")]
    MissingKey {
        /// The key.
        key: &'static str,
    },
    /// A metadata value that cannot be used.
    #[error("metadata key '{key}': expected {expected}, found '{found}'")]
    BadKey {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// Its value.
        found: String,
    },
    /// A reference that cannot be used.
    #[error("metadata key 'lsr.reference': {problem}")]
    Reference {
        /// What is wrong.
        problem: String,
    },
    /// The runtime could not prepare the network for an image size.
    #[error("the runtime cannot prepare it for {width} x {height} px: {reason}")]
    Prepare {
        /// Image width.
        width: usize,
        /// Image height.
        height: usize,
        /// The runtime's words.
        reason: String,
    },
    /// An activation beyond the memory bound.
    #[error("node '{node}' needs {bytes} bytes for {width} x {height} px, more than {max}; use a smaller --tile")]
    Memory {
        /// The node.
        node: String,
        /// Image width.
        width: usize,
        /// Image height.
        height: usize,
        /// What it needs.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The runtime failed while running.
    #[error("the runtime failed on {width} x {height} px: {reason}")]
    Run {
        /// Image width.
        width: usize,
        /// Image height.
        height: usize,
        /// The runtime's words.
        reason: String,
    },
    /// An output that is not a finite number.
    #[error("output 'logits' is {value} at class {class}, row {row}, column {column} of a tile: the model is broken")]
    NotFinite {
        /// Class.
        class: usize,
        /// Row in the tile.
        row: usize,
        /// Column in the tile.
        column: usize,
        /// The value found.
        value: f32,
    },
}

impl Error {
    /// Whether every later write to the same folder would fail too, so that a batch had better stop.
    pub fn stops_batch(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            Self::Interrupted => true,
            Self::Write { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem),
            _ => false,
        }
    }
}

/// An error and its causes as one line.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    let line = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn full_disk(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::StorageFull {
        " (the disk is full: free some space and run again, finished images are kept)"
    } else {
        ""
    }
}
