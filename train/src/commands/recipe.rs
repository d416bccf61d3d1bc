//! `lsr-train recipe`.

use crate::cli::RecipeArgs;
use crate::progress::{StageObserver, TerminalObserver};
use crate::signals::stop_flag;
use lsr_train::{Observer, QuantizeObserver, Recipe, RecipeObserver, RecipeSettings, Result};

pub(crate) fn recipe(args: &RecipeArgs) -> Result<()> {
    let recipe = Recipe::read(&args.recipe)?;
    let settings = RecipeSettings { data: args.data.clone(), without: args.without.clone(), steps: args.steps, device: args.device };
    let mut observer = Parts::default();
    let figures = lsr_train::make_recipe(&recipe, &settings, &args.output, &mut observer, &*stop_flag()?)?;
    observer.end();
    print!("{}", figures.table());
    eprintln!(
        "{} written ({} bytes, SHA-256 {})",
        args.output.join("model.int8.onnx").display(),
        figures.model_bytes,
        figures.model_sha256
    );
    Ok(())
}

/// A line for each part, and a bar over the steps of the one that runs.
#[derive(Default)]
struct Parts {
    training: TerminalObserver,
    quantising: StageObserver,
}

impl Parts {
    fn end(&mut self) {
        self.training.finish();
        self.quantising.finish();
    }
}

impl RecipeObserver for Parts {
    fn part(&mut self, text: &str) {
        self.end();
        eprintln!("{text}");
    }

    fn training(&mut self) -> &mut dyn Observer {
        &mut self.training
    }

    fn quantising(&mut self) -> &mut dyn QuantizeObserver {
        &mut self.quantising
    }
}
