#pragma once

#include <string>

#include "trainer/model.h"

namespace freshet {

/// A model as bytes: safetensors (sorted names, F32/F64, little-endian) whose metadata holds the
/// manifest (model spec as JSON, format version). The same spec and state give the same bytes, so
/// sha256 of them is the model's address.
std::string write_artifact(const ModelSpec& spec, const ModelState& state);

struct Artifact {
  ModelSpec spec;
  ModelState state;
};

/// Throws Error{corrupt} saying what is wrong: sizes, names, shapes, non-finite weights, version.
Artifact read_artifact(const std::string& bytes);

}  // namespace freshet
