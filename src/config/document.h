// The configuration file as a tree of nodes with lines: TOML's grammar and nothing of its meaning.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sternpost::config {

/// The most octets of a configuration file.
inline constexpr std::size_t kMaxFile = 1024 * 1024;

enum class Kind : unsigned char { text, integer, boolean, list, table, other };

struct Member;

struct Node {
  Kind kind = Kind::table;
  std::uint32_t line = 0;
  std::string scalar;       ///< of text, as it means; of integer, in decimal; of boolean, "true" or "false"
  std::vector<Node> items;  ///< of a list
  std::vector<Member> members;  ///< of a table, in the order of the file
};

struct Member {
  std::string name;
  Node node;  ///< its line is that of the name
};

struct SyntaxError {
  std::uint32_t line = 0;  ///< 0 where the whole file is meant
  std::string text;
};

/// Reads TOML 1.0. Refused besides what is not TOML: files beyond kMaxFile, characters beyond ASCII outside
/// of comments (an escape says them), and keys of more than nine parts, which nest deeper than any parameter.
std::expected<Node, SyntaxError> parse_document(std::string_view text);

}  // namespace sternpost::config
