// Writing JSON: every listing command and the history are written with this, so that they escape alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sternpost {

/// Appends `text` as a JSON string with its quotes. Control characters and DEL are escaped as \u00NN; an
/// octet that is not part of well-formed UTF-8 becomes the four characters \xNN, so that the output is always
/// UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// Writes one JSON value, commas placed by itself. Calls must nest properly; keys are given only in objects.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(std::uint32_t number) { return value(std::uint64_t{number}); }
  JsonWriter& value(bool flag);
  /// A value that is JSON already.
  JsonWriter& json(std::string_view text);

  /// key() and value() in one.
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    key(name);
    return value(content);
  }

 private:
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace sternpost
