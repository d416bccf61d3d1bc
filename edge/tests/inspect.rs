//! `lsr-edge inspect`: what a model is, and every refusal by name.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod onnx;
mod program;

use onnx::{changed, dims, graph, node, set_key};
use program::{run, unet};
use std::fs;
use std::path::Path;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{AttributeProto, ModelProto, OperatorSetIdProto};

fn refused(change: impl FnOnce(&mut ModelProto), words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), "changed.onnx", change);
    let said = run([Path::new("inspect"), &path]);
    said.expect(1, &["error: model", "changed.onnx"]);
    said.expect(1, words);
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
}

#[test]
fn it_says_what_a_model_is() {
    let said = run([Path::new("inspect"), &unet()]);
    said.expect(0, &[]);
    for words in [
        "float32 [batch, 3, height, width]",
        "30881 parameters",
        "Conv 19",
        "other, cancer; the mask shows cancer",
        "107 px",
        "operator set  13",
    ] {
        assert!(said.stdout.contains(words), "expected '{words}' in {said:?}");
    }
}

#[test]
fn json_holds_the_same() {
    let said = run([Path::new("inspect"), &unet(), Path::new("--json")]);
    let card: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(card["metadata"]["alignment"], 16);
    assert_eq!(card["metadata"]["class_names"], serde_json::json!(["other", "cancer"]));
    assert_eq!(card["contents"]["operators"]["MaxPool"], 4);
    assert_eq!(card["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn the_embedded_model_can_be_run() {
    let said = run(["inspect"]);
    said.expect(0, &[]);
    assert!(said.stdout.starts_with("model         embedded\n"), "{said:?}");
}

#[test]
fn files_that_are_no_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let inspect = || run([Path::new("inspect"), &path]);
    inspect().expect(1, &["cannot read", "m.onnx", "No such file"]);
    fs::write(&path, b"").unwrap();
    inspect().expect(1, &["m.onnx", "the file is empty"]);
    fs::write(&path, [0x1F_u8, 0x8B, 0xFF, 0x00, 0x37, 0x99].repeat(99)).unwrap();
    inspect().expect(1, &["m.onnx", "not an ONNX file"]);
    fs::write(&path, &fs::read(unet()).unwrap()[..60_000]).unwrap();
    inspect().expect(1, &["m.onnx", "not an ONNX file"]);
    run([Path::new("inspect"), folder.path()]).expect(1, &["is not a regular file"]);
}

#[test]
fn random_bytes_are_never_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.onnx");
    let mut state = 1_u64;
    for length in [1, 2, 3, 10, 100, 5000] {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        fs::write(&path, bytes).unwrap();
        run([Path::new("inspect"), &path]).expect(1, &["error: model"]);
    }
}

#[test]
fn the_wrong_input() {
    refused(
        |model| dims(&mut graph(model).input[0])[1].value = Some(Dimension::DimValue(1)),
        &["input 'image'", "3 channels", "1, height"],
    );
    refused(|model| drop(dims(&mut graph(model).input[0]).pop()), &["input 'image'", "four dimensions"]);
    refused(
        |model| dims(&mut graph(model).input[0])[2].value = Some(Dimension::DimValue(240)),
        &["free dimensions", "240", "dynamic axes"],
    );
    refused(|model| graph(model).input[0].name = "x".to_owned(), &["inputs", "'image'", "\"x\""]);
    refused(
        |model| {
            let second = graph(model).input[0].clone();
            graph(model).input.push(second);
        },
        &["inputs: expected one"],
    );
    refused(
        |model| {
            let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) = graph(model).input[0].r#type.as_mut().unwrap().value.as_mut()
            else {
                panic!("not a tensor")
            };
            tensor.elem_type = 11;
        },
        &["input 'image'", "expected float32", "float64"],
    );
}

#[test]
fn the_wrong_output() {
    refused(|model| graph(model).output[0].name = "elsewhere".to_owned(), &["outputs", "'logits'"]);
    refused(|model| node(model, "head").output[0] = "elsewhere".to_owned(), &["output 'logits'", "a node that computes it"]);
    refused(|model| set_key(model, "lsr.class_names", r#"["a","b","c"]"#), &["output 'logits'", "3 class names", "[1, 1, 16, 16]"]);
    refused(
        |model| {
            node(model, "head").output[0] = "inner".to_owned();
            let mut sigmoid = node(model, "down0.0.relu").clone();
            (sigmoid.op_type, sigmoid.name) = ("Sigmoid".to_owned(), "squash".to_owned());
            (sigmoid.input, sigmoid.output) = (vec!["inner".to_owned()], vec!["logits".to_owned()]);
            graph(model).node.push(sigmoid);
        },
        &["node 'squash'", "must be logits"],
    );
}

#[test]
fn operators_that_are_not_run() {
    refused(
        |model| node(model, "down2.0.relu").op_type = "InstanceNormalization".to_owned(),
        &["node 'down2.0.relu'", "InstanceNormalization"],
    );
    refused(|model| node(model, "down2.0.relu").op_type = "Nonsense".to_owned(), &["node 'down2.0.relu'", "Nonsense"]);
    refused(|model| node(model, "pool1").domain = "com.example".to_owned(), &["node 'pool1'", "com.example.MaxPool"]);
    refused(|model| model.opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 7 }], &["operator set 7", "13 to 18"]);
    refused(|model| model.opset_import.clear(), &["operator set 0"]);
}

#[test]
fn graphs_that_do_not_fit_together() {
    refused(|model| node(model, "up1").input[0] = "nowhere".to_owned(), &["node 'up1'", "'nowhere' is not computed before it"]);
    refused(|model| node(model, "up1").output.clear(), &["node 'up1'", "no output"]);
    refused(|model| node(model, "up1").output[0] = "up2".to_owned(), &["node 'up1'", "exists already"]);
    refused(|model| graph(model).node.reverse(), &["is not computed before it"]);
    refused(|model| model.graph = None, &["no graph"]);
    // Joined with the wrong skip: only the runtime's shape inference can see it.
    refused(|model| node(model, "join1").input[1] = "down0.1".to_owned(), &["cannot prepare", "16 x 16 px", "join1"]);
    refused(|model| set_key(model, "lsr.alignment", "4"), &["cannot prepare", "join3"]);
    let pads = |value: i64| AttributeProto { name: "pads".to_owned(), r#type: 7, ints: vec![value; 4], ..AttributeProto::default() };
    refused(
        |model| {
            let node = node(model, "down0.0");
            node.attribute.retain(|attribute| attribute.name != "pads");
            node.attribute.push(pads(1 << 40));
        },
        &["node 'down0.0'", "attribute 'pads'", "beyond"],
    );
}

#[test]
fn tensors_that_are_not_in_the_file_or_do_not_fit() {
    refused(
        |model| {
            let tensor = &mut graph(model).initializer[0];
            tensor.data_location = Some(1);
            tensor.raw_data.clear();
        },
        &["tensor 'down0.0.weight'", "external data", "one file"],
    );
    refused(|model| graph(model).initializer[0].raw_data.truncate(7), &["tensor 'down0.0.weight'", "does not fit"]);
    refused(|model| graph(model).initializer[0].dims[0] = i64::MAX, &["tensor 'down0.0.weight'", "does not fit"]);
    refused(|model| graph(model).initializer[0].dims[0] = -1, &["tensor 'down0.0.weight'", "does not fit"]);
    refused(|model| graph(model).initializer[0].data_type = 10, &["tensor 'down0.0.weight'", "float16"]);
}

#[test]
fn metadata_that_is_missing_or_wrong() {
    refused(|model| model.metadata_props.retain(|pair| pair.key != "lsr.um_per_px"), &["'lsr.um_per_px' is missing", "lsr-train export"]);
    refused(|model| model.metadata_props.clear(), &["'lsr.format' is missing"]);
    refused(|model| set_key(model, "lsr.threshold", "1.5"), &["'lsr.threshold'", "(0, 1)", "'1.5'"]);
}
