//! `doctor`: what is found, and whether the device can be used.

use crate::program::{Workshop, text_of};
use serde_json::Value;

#[test]
fn the_processor_can_always_be_used() {
    let shop = Workshop::empty();
    let (out, _) = shop.succeeds(&["doctor", "--device", "cpu"]);
    for line in ["lsr-train ", "processor ", "vectors ", "MPI ", "device       cpu can be used"] {
        assert!(out.lines().any(|found| found.starts_with(line)), "no line '{line}' in:\n{out}");
    }
    let (out, _) = shop.succeeds(&["doctor", "--device", "cpu", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["device"], "cpu");
    assert!(json["problem"].is_null() && json["kernels"].is_null(), "{json}");
    assert!(json["processor"]["cores"].as_u64().unwrap() >= 1, "{json}");
    assert!(json["processor"]["vectors"]["lanes"].as_u64().unwrap() >= 1, "{json}");
    assert_eq!(json["cuda"].is_object(), cfg!(feature = "cuda"), "{json}");
}

#[test]
fn a_gpu_that_cannot_be_there_is_refused_after_the_table() {
    let shop = Workshop::empty();
    let output = shop.run(&["doctor", "--device", "cuda:9999"]);
    let (out, error) = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(out.contains("device       cuda:9999 cannot be used"), "{out}");
    assert!(error.starts_with("lsr-train: ") && error.lines().count() == 1, "{error}");
    let output = shop.run(&["doctor", "--device", "cuda:9999", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problem = json["problem"].as_str().unwrap();
    assert_eq!(error, format!("lsr-train: {problem}\n"));
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_build_without_cuda_says_how_one_with_it_is_made() {
    let shop = Workshop::empty();
    let build = "cargo build --release -p lsr-train --features cuda";
    let (out, _) = shop.succeeds(&["doctor"]);
    assert!(out.contains("built without CUDA") && out.contains(build) && out.contains("cpu can be used"), "{out}");
    shop.refuses(&["doctor", "--device", "cuda"], &["cuda:0", "no CUDA", build]);
}

#[test]
#[cfg(feature = "cuda")]
fn a_build_with_cuda_says_what_is_missing_and_fails_or_runs_its_kernels() {
    let shop = Workshop::empty();
    // Which of the two depends on the machine.
    let output = shop.run(&["doctor", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["cuda"]["built_for"], "13.0");
    assert!(json["device"].as_str().unwrap().starts_with("cuda:"), "{json}");
    if output.status.success() {
        assert!(json["kernels"]["convolution"].as_f64().unwrap() <= json["kernels"]["allowed"].as_f64().unwrap(), "{json}");
    } else {
        assert_eq!(output.status.code(), Some(1));
        let (missing, problem) = (json["cuda"]["missing"].as_array().unwrap(), json["problem"].as_str().unwrap());
        assert!(missing.iter().all(|part| problem.contains(part.as_str().unwrap())), "{json}");
    }
    // The headers are looked for where CUDA_PATH says.
    let output = shop.command(&["doctor"]).env("CUDA_PATH", shop.path("nowhere")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (out, error) = text_of(&output);
    assert!(out.contains("headers      missing") && error.contains("nowhere/include/cuda_fp16.h"), "{out}{error}");
}

#[test]
fn what_names_no_device_is_refused() {
    let output = Workshop::empty().run(&["doctor", "--device", "gpu"]);
    let (_, error) = text_of(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("\"gpu\" names no device"), "{error}");
}
