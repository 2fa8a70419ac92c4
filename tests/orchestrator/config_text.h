#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "orchestrator/config.h"
#include "stream/error.h"

namespace freshet {

using nlohmann::json;

/// What must be there, and nothing else.
inline json minimal() {
  return json::parse(R"({
    "pipeline": "p", "task": "binary",
    "stream": {
      "event": {"time": "ts", "fields": {"amount": "number", "terminal": "category"}},
      "label": {"field": "y"}
    }
  })");
}

inline json later() {
  json config = minimal();
  config["stream"]["event"]["id"] = "id";
  config["stream"]["label"].update({{"known", "later"}, {"wait", "7d"}, {"default", 0}});
  return config;
}

inline PipelineConfig parse(const json& config) { return parse_config(config.dump(), "c.json"); }

/// What is wrong with a config; empty if nothing is.
inline std::string problems(const std::string& text) {
  try {
    parse_config(text, "c.json");
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    return error.what();
  }
}

inline std::string problems(const json& config) { return problems(config.dump()); }

/// `minimal()` or another config with the value at a JSON pointer set.
inline json with(json config, const std::string& pointer, const json& value) {
  config[json::json_pointer(pointer)] = value;
  return config;
}

}  // namespace freshet
