//! GHNs that are trained, evaluated and packed by the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A GHN that is trained in seconds, on small networks.
const RECIPE: &str = r#"
meta_batch = 2
batch = 10
image = 16
epochs = 2
optimizer = "muon"
schedule = "cosine"
average = 0.9
eval_networks = 1
eval_images = 20

[[stages]]
until = 1.0
most_parameters = 80000

[ghn]
hid = 8
max_shape = [8, 8, 11, 11]
"#;

fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a folder for the test");
    fs::write(home.path().join("recipe.toml"), RECIPE).expect("the recipe");
    home
}

fn hyperscope(home: &TempDir, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments.split_whitespace())
        .current_dir(home.path())
        .env("HYPERSCOPE_HOME", home.path())
        .output()
        .expect("hyperscope runs")
}

/// Standard output of a command that does well.
fn said(home: &TempDir, arguments: &str) -> String {
    let output = hyperscope(home, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The message of one that does not.
fn refused(home: &TempDir, arguments: &str) -> String {
    let output = hyperscope(home, arguments);
    assert!(!output.status.success(), "{arguments} does well");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TRAIN: &str = "ghn train --data synthetic --shots 2 --recipe recipe.toml --json";

/// A home with a finished training, and the checkpoint of its last epoch.
fn trained() -> (TempDir, PathBuf) {
    let home = home();
    let lines = said(&home, TRAIN);
    let result: Value =
        serde_json::from_str(lines.lines().last().expect("a result")).expect("JSON");
    assert_eq!(
        (&result["kind"], &result["epochs"]),
        (&"result".into(), &2.into())
    );
    let run = home
        .path()
        .join("runs")
        .join(result["run"].as_str().expect("a run"));
    (home, run.join("checkpoint/last/model.safetensors"))
}

#[test]
fn a_trained_ghn_predicts_and_is_evaluated_and_packed() {
    let (home, file) = trained();
    let listed = said(&home, "runs list");
    assert!(
        listed.contains("ghn-2") && listed.contains("finished"),
        "{listed}"
    );
    let watched = said(&home, "runs watch last");
    assert!(
        watched.contains("predict") && watched.contains("left out 0"),
        "{watched}"
    );

    let file = file.display();
    said(&home, &format!("ghn pack {file} -o mine.safetensors"));
    let sizes = ["mine.safetensors", &file.to_string()]
        .map(|f| fs::metadata(home.path().join(f)).expect("a file").len());
    assert!(sizes[0] < sizes[1] * 6 / 10, "{sizes:?}");
    let asked = "--data synthetic --split test --nets 2 --images 20 --image 16";
    let answer = |ghn: &str| -> Value {
        let text = said(&home, &format!("ghn eval {ghn} {asked} --json"));
        serde_json::from_str(&text).expect("JSON")
    };
    let (whole, packed) = (answer(&file.to_string()), answer("mine.safetensors"));
    assert_eq!(packed["trained"], true);
    let split = &packed["splits"][0];
    assert_eq!(
        (&split["split"], &split["nets"]),
        (&"test".into(), &2.into())
    );
    let each: Vec<f64> = split["cases"]
        .as_array()
        .expect("networks")
        .iter()
        .map(|net| net["top1"].as_f64().expect("a number"))
        .collect();
    let mean = split["mean"].as_f64().expect("a number");
    assert!((mean - (each[0] + each[1]) / 2.0).abs() < 1e-9);
    assert!(split["random"]["mean"].is_number());
    let loss = |answer: &Value| {
        answer["splits"][0]["cases"][0]["loss"]
            .as_f64()
            .expect("a loss")
    };
    // Three digits of the weights are left.
    assert!((loss(&whole) - loss(&packed)).abs() < 0.02 * loss(&whole));

    let table = said(
        &home,
        &format!("ghn eval mine.safetensors {asked} --no-random"),
    );
    assert!(table.contains("deepnets/test:"), "{table}");
    said(
        &home,
        "predict deepnets:3 --ghn mine.safetensors --classes 10 --image 32 -o net.safetensors",
    );
    figures_are_kept_and_packed(&home, &[&whole, &packed]);
}

/// The evaluations of the checkpoint and of the packed file lie in the cache, the last with what is random although
/// it was evaluated once more without; the packed file takes its own figures in, and no other's.
fn figures_are_kept_and_packed(home: &TempDir, [whole, packed]: &[&Value; 2]) {
    let records: Vec<Value> = fs::read_dir(home.path().join("cache/ghn-evals"))
        .expect("a folder")
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("a record"))
        .map(|text| serde_json::from_str(&text).expect("JSON"))
        .collect();
    assert_eq!(records.len(), 2);
    let kept = records.iter().find(|r| r["hash"] == packed["hash"]);
    let kept = kept.expect("the record of the packed file");
    assert!(kept["splits"][0]["random"]["mean"].is_number(), "{kept}");
    assert!(kept["evaluated_ms"].as_u64() > Some(1_700_000_000_000));

    for (name, answer) in [("own.json", packed), ("other.json", whole)] {
        fs::write(home.path().join(name), answer.to_string()).expect("written");
    }
    let pack =
        |figures: &str| format!("ghn pack mine.safetensors --eval {figures} -o with.safetensors");
    let message = refused(home, &pack("other.json"));
    assert!(message.contains("another GHN"), "{message}");
    fs::write(home.path().join("torn.json"), "{\"ghn\":").expect("written");
    let message = refused(home, &pack("torn.json"));
    assert!(
        message.contains("torn.json") && message.contains("ghn eval --json"),
        "{message}"
    );
    said(home, &pack("own.json"));
    let file = fs::read(home.path().join("with.safetensors")).expect("a file");
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&file[8..8 + length]).expect("JSON");
    let list = header["__metadata__"]["evaluations"]
        .as_str()
        .expect("evaluations");
    let list: Value = serde_json::from_str(list).expect("JSON");
    assert_eq!(list, serde_json::json!([packed]));
}

#[test]
fn a_training_goes_on_from_the_weights_of_another() {
    let (home, file) = trained();
    fs::copy(&file, home.path().join("begun.safetensors")).expect("copied");
    // An average of equal weights would differ in the last bit.
    fs::write(
        home.path().join("recipe.toml"),
        RECIPE.replace("0.9", "0.0"),
    )
    .expect("the recipe");
    said(
        &home,
        &format!("{TRAIN} --from begun.safetensors --epochs 1 --lr 0"),
    );
    let runs = fs::read_dir(home.path().join("runs")).expect("runs");
    let models: Vec<Vec<u8>> = runs
        .map(|run| {
            run.expect("a run")
                .path()
                .join("checkpoint/last/model.safetensors")
        })
        .map(|model| fs::read(model).expect("a checkpoint"))
        .collect();
    assert_eq!(models.len(), 2);
    assert!(models[0] == models[1], "a rate of zero changes nothing");
}

#[test]
fn what_cannot_be_trained_is_refused_before_there_is_a_run() {
    let home = home();
    let odd = home.path().join("odd.toml");
    for (recipe, expected) in [
        ("lr = -1", "lr"),
        ("learning_rate = 1", "learning_rate"),
        ("meta_batch = 0", "meta_batch"),
        ("batch = 4000000", "images to train on"),
        ("[ghn]\nhid = 7", "hid"),
    ] {
        fs::write(&odd, recipe).expect("a recipe");
        let message = refused(&home, "ghn train --data synthetic --recipe odd.toml");
        assert!(message.contains(expected), "{recipe}: {message}");
    }
    let nowhere = refused(&home, "ghn train --data synthetic --recipe nowhere.toml");
    assert!(nowhere.contains("nowhere.toml"), "{nowhere}");
    for class in ["cat", "dog"] {
        let folder = home.path().join("pets").join(class);
        fs::create_dir_all(&folder).expect("a folder of images");
        for number in 0..20 {
            let image = image::RgbImage::from_pixel(16, 16, image::Rgb([number; 3]));
            image
                .save(folder.join(format!("{number}.png")))
                .expect("an image");
        }
    }
    let ghn = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/ghn/weights/ghn2_tiny.safetensors");
    for asked in ["train --recipe recipe.toml --from", "eval"] {
        let message = refused(&home, &format!("ghn {asked} {} --data pets", ghn.display()));
        assert!(
            message.contains("10 classes") && message.contains("has 2"),
            "{message}"
        );
    }
    let other = "ghn train --data synthetic --recipe logah --from default";
    let message = refused(&home, other);
    assert!(
        message.contains("is for a LoGAH, and default is a GHN-2"),
        "{message}"
    );
    let wider = "epochs = 1\n[ghn]\nlayernorm = true\nhid = 48\n";
    fs::write(home.path().join("wider.toml"), wider).expect("the recipe");
    let other = "ghn train --data synthetic --recipe wider.toml --from default";
    let message = refused(&home, other);
    assert!(
        message.contains("hid = 48, and default has 32"),
        "{message}"
    );
    assert!(!home.path().join("runs").exists());
}

#[test]
fn a_step_is_timed_phase_by_phase() {
    let home = home();
    let text = said(
        &home,
        "bench ghn-train --recipe recipe.toml --batch 10 --steps 3 --json",
    );
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let number = |key: &str| answer[key].as_f64().expect("a number");
    assert!(number("steps") >= 3.0 && number("steps_per_s") > 0.0);
    let phases = ["graph", "predict", "forward", "backward", "update"];
    let sum: f64 = phases.map(number).iter().sum();
    assert!(sum > 0.0 && sum <= number("step") * 1.01, "{text}");
    let networks = answer["networks"].as_array().expect("a list");
    assert_eq!(networks.len() as f64, number("before") + number("steps"));
    assert!(
        networks.iter().all(|step| step[0]["n_cells"].is_u64()),
        "{text}"
    );
}
