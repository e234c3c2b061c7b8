// What a decision points at: the parameter, table entry or built-in rule that made it.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace sternpost {

/// A rule by name, and where the administrator wrote it. A built-in default has no file and line 0.
struct Rule {
  std::string name;  ///< the key in the configuration, or the RFC section: "domains", "RFC 5321 4.5.3.1"
  std::string file;
  std::uint32_t line = 0;

  bool operator==(const Rule&) const = default;
  static constexpr auto fields() { return std::tuple(&Rule::name, &Rule::file, &Rule::line); }
};

}  // namespace sternpost
