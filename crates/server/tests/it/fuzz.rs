//! The bodies of the fuzz targets with every file of the kept corpus: what fuzzing found once stays
//! mended. The targets themselves run by cargo-fuzz: see CONTRIBUTING.md.

use std::collections::BTreeSet;
use std::path::PathBuf;

#[path = "../../../../fuzz/src/leaves/mod.rs"]
mod leaves;
#[path = "../../../../fuzz/src/trunk/mod.rs"]
mod trunk;

/// More files than this are not a corpus to keep, but one to make smaller (`cargo fuzz cmin`).
const FILES_MAX: usize = 200;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &str) -> BTreeSet<String> {
    let listed = std::fs::read_dir(fuzz().join(folder)).unwrap();
    listed
        .map(|it| it.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn f_07_t_06_p_02_v_07_every_kept_input_is_read_as_it_must_be() {
    let mut files = 0;
    for (name, run) in leaves::TARGETS.into_iter().chain(trunk::TARGETS) {
        for file in std::fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
            let path = file.unwrap().path();
            eprintln!("{}", path.display());
            run(&std::fs::read(path).unwrap());
            files += 1;
        }
    }
    assert!((100..FILES_MAX).contains(&files), "{files} files");
}

#[test]
fn every_fuzz_target_has_a_program_and_a_corpus() {
    let all = leaves::TARGETS.into_iter().chain(trunk::TARGETS);
    let targets: BTreeSet<String> = all.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} is not built");
    }
}
