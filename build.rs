//! Compiles the schemas of `proto/` with protox, so that no protoc is needed to build.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = [
        "proto/flow/v1/flow.proto",
        "proto/hotprefix/v1/alert.proto",
        "proto/hotprefix/v1/detect_state.proto",
        "proto/hotprefix/v1/partial.proto",
        "proto/hotprefix/v1/state.proto",
    ];
    let descriptors = protox::compile(files, ["proto"])?;
    prost_build::Config::new()
        .btree_map(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
