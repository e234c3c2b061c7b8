#include "tool/config_commands.h"

#include <fmt/format.h>

#include <vector>

#include "base/printable.h"
#include "config/read_value.h"
#include "config/reference.h"
#include "config/registry.h"
#include "runtime/json_text.h"
#include "tool/configuration.h"

namespace sternpost::tool {
namespace {

void append_json(JsonWriter& writer, const config::Setting& setting) {
  writer.begin_object().member("key", setting.parameter->key);
  writer.member("value", config::to_toml(*setting.parameter, setting.value));
  writer.member("origin", config::to_string(setting.origin)).end_object();
}

void append_json(JsonWriter& writer, const config::Parameter& parameter) {
  writer.begin_object().member("key", parameter.key).member("takes", config::expectation(parameter));
  writer.member("default", config::describe_default(parameter)).member("required", parameter.required);
  writer.member("needs_restart", parameter.reload == config::Reload::restart).key("seen_by").begin_array();
  for (const auto word : config::split_words(parameter.seen_by)) writer.value(word);
  writer.end_array().member("summary", parameter.summary).member("details", parameter.details);
  writer.member("since", parameter.since).end_object();
}

void explain_all(bool json) {
  std::string out;
  JsonWriter writer(out);
  if (json) writer.begin_array();
  for (const auto* parameter : config::registry()) {
    if (json) {
      append_json(writer, *parameter);
    } else {
      out += fmt::format("{:<32} {}\n", parameter->key, parameter->summary);
    }
  }
  if (json) writer.end_array();
  fmt::print("{}{}", out, json ? "\n" : "");
}

}  // namespace

Outcome<void> config_check(const Options& options) {
  const auto values = load_configuration(options);
  if (options.json) {
    std::string out;
    JsonWriter writer(out);
    writer.begin_object()
        .member("file", options.config)
        .member("ok", values.has_value())
        .key("errors")
        .begin_array();
    if (!values) {
      for (const auto& line : values.error()) writer.value(line);
    }
    writer.end_array().end_object();
    fmt::print("{}\n", out);
    return values ? Outcome<void>{} : failure(ExitStatus::usage, "");
  }
  if (!values) return failure(ExitStatus::usage, joined(values.error()));
  fmt::print("{}: good\n", options.config);
  return {};
}

Outcome<void> config_show(const Options& options) {
  const auto values = load_configuration(options);
  if (!values) return failure(ExitStatus::usage, joined(values.error()));
  fmt::print("{}", options.json ? show_json(*values) : show_text(*values));
  return {};
}

Outcome<void> config_explain(const Options& options, const std::string& key) {
  if (key.empty()) {
    explain_all(options.json);
    return {};
  }
  const auto* parameter = config::find_parameter(key);
  if (parameter == nullptr) {
    const auto near = config::nearest_key(key);
    return failure(ExitStatus::usage,
                   near.empty() ? fmt::format("there is no key {}", printable(key))
                                : fmt::format("there is no key {}; did you mean {}?", printable(key), near));
  }
  std::string out;
  JsonWriter writer(out);
  if (options.json) {
    append_json(writer, *parameter);
    out += "\n";
  } else {
    out = config::explain(*parameter);
  }
  fmt::print("{}", out);
  return {};
}

std::string show_text(const config::Values& values) {
  std::string out;
  for (const auto& setting : values.settings()) {
    out += fmt::format("{} = {}  # {}\n", setting.parameter->key,
                       config::to_toml(*setting.parameter, setting.value), config::to_string(setting.origin));
  }
  return out;
}

std::string show_json(const config::Values& values) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_array();
  for (const auto& setting : values.settings()) append_json(writer, setting);
  writer.end_array();
  return out + "\n";
}

}  // namespace sternpost::tool
