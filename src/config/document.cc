#include "config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/printable.h"

namespace sternpost::config {
namespace {

/// What the parser throws where it meets what it took for impossible.
struct BrokenAssumption {};

}  // namespace
}  // namespace sternpost::config

// Broken files reach the parser's assertions, which it turns into promises to the optimiser in release
// builds. Its own setting for them makes each an error like any other, in every build; this is the only file
// that includes it.
#undef NDEBUG
#define TOML_ASSERT(expr) ((expr) ? void() : throw sternpost::config::BrokenAssumption())
#include <toml++/toml.h>

namespace sternpost::config {
namespace {

constexpr int kMostDots = 8;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Where a string that starts at `at` ends: behind its closing quotes, or at the end of the text.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string triple(3, quote);
  const bool long_form = text.substr(at, 3) == triple;
  at += long_form ? 3 : 1;
  while (at < text.size()) {
    if (text[at] == '\\' && quote == '"') {
      at += 2;
    } else if (long_form && text.substr(at, 3) == triple) {
      at += 3;
      // One or two quotes right before the closing ones belong to the string.
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    } else if (!long_form && (text[at] == quote || text[at] == '\n')) {
      return at + 1;
    } else {
      ++at;
    }
  }
  return text.size();
}

bool is_beyond_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

bool is_in(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

bool begins_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_in("-_\"'", c);
}

constexpr std::string_view kBeyondAscii =
    "has a character beyond ASCII outside of a comment; write it in double quotes as \\u and its number, "
    "such as \"\\u00e9\"";

/// Looks at the text before the parser does, for that takes some broken files worse than with an error:
/// characters beyond ASCII (its table of blanks has holes), a header that has no key, and dotted keys, which
/// make a table for each part, destroyed recursively. In comments what is beyond ASCII is made harmless.
class LookAhead {
 public:
  explicit LookAhead(std::string& text) : text_(text) {}

  std::optional<SyntaxError> run() {
    if (text_.starts_with(kByteOrderMark)) text_.erase(0, kByteOrderMark.size());
    while (at_ < text_.size()) {
      if (const auto what = step(); !what.empty()) {
        const auto line = 1 + std::ranges::count(std::string_view(text_).substr(0, at_), '\n');
        return SyntaxError{static_cast<std::uint32_t>(line), std::string(what)};
      }
    }
    return std::nullopt;
  }

 private:
  /// Passes over one string, comment or character. Answers what is wrong with it.
  std::string_view step() {
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      const auto end = end_of_string(text_, at_);
      const auto string = std::string_view(text_).substr(at_, end - at_);
      if (std::ranges::any_of(string, is_beyond_ascii)) return kBeyondAscii;
      at_ = end;
      line_begins_ = false;
      return {};
    }
    if (c == '#') {
      for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
        if (is_beyond_ascii(text_[at_])) text_[at_] = '?';
      }
      return {};
    }
    if (is_beyond_ascii(c)) return kBeyondAscii;
    if (c == '[' && line_begins_ && depth_ == 0) {
      if (!is_header(std::string_view(text_).substr(at_ + 1))) return "has no key behind [";
    } else if (is_in("[{", c)) {
      ++depth_;
    } else if (is_in("]}", c) && depth_ > 0) {
      --depth_;
    }
    if (c == '.' && ++dots_ > kMostDots) return "has a key of more than nine parts";
    if (is_in("\n=[{,", c)) dots_ = 0;
    if (c == '\n') line_begins_ = true;
    if (!is_in("\n\r\t ", c)) line_begins_ = false;
    ++at_;
    return {};
  }

  /// Whether what follows the first bracket of a table's header is a key, or what the parser refuses by
  /// itself.
  static bool is_header(std::string_view rest) {
    if (rest.starts_with('[')) rest.remove_prefix(1);
    const auto next = rest.find_first_not_of("\t ");
    return next != std::string_view::npos && (begins_key(rest[next]) || rest[next] == ']');
  }

  std::string& text_;
  std::size_t at_ = 0;
  bool line_begins_ = true;
  int dots_ = 0;
  int depth_ = 0;  ///< of lists and inline tables
};

Node convert(const toml::node& from);

std::vector<Member> convert_members(const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> ordered;
  for (const auto& [key, value] : table) ordered.emplace_back(&key, &value);
  std::ranges::sort(ordered, [](const auto& a, const auto& b) {
    return a.first->source().begin < b.first->source().begin;
  });
  std::vector<Member> members;
  for (const auto& [key, value] : ordered) {
    members.push_back({std::string(key->str()), convert(*value)});
    members.back().node.line = key->source().begin.line;
  }
  return members;
}

Node convert(const toml::node& from) {
  Node node{.kind = Kind::other, .line = from.source().begin.line, .scalar = {}, .items = {}, .members = {}};
  if (const auto* text = from.as_string()) {
    node.kind = Kind::text;
    node.scalar = text->get();
  } else if (const auto* number = from.as_integer()) {
    node.kind = Kind::integer;
    node.scalar = fmt::format("{}", number->get());
  } else if (const auto* flag = from.as_boolean()) {
    node.kind = Kind::boolean;
    node.scalar = flag->get() ? "true" : "false";
  } else if (const auto* list = from.as_array()) {
    node.kind = Kind::list;
    for (const auto& item : *list) node.items.push_back(convert(item));
  } else if (const auto* table = from.as_table()) {
    node.kind = Kind::table;
    node.members = convert_members(*table);
  }
  return node;
}

/// The only place that sees the parser's exceptions. An error without a line is a broken assumption.
std::expected<Node, SyntaxError> parse_prepared(std::string_view text) {
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return std::unexpected(
        SyntaxError{error.source().begin.line, "is not TOML: " + printable(error.description(), 300)});
  } catch (const BrokenAssumption&) {
    return std::unexpected(SyntaxError{0, "is not TOML"});
  }
}

/// The line in which the parser's assumption broke: the last one of the shortest beginning that breaks it.
std::uint32_t line_of_broken_assumption(std::string_view text) {
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') ends.push_back(at);
  }
  const auto breaks = [&](std::size_t end) {
    const auto parsed = parse_prepared(text.substr(0, end));
    return !parsed && parsed.error().line == 0;
  };
  const auto first = std::ranges::partition_point(ends, [&](std::size_t end) { return !breaks(end); });
  return static_cast<std::uint32_t>(1 + (first - ends.begin()));
}

}  // namespace

std::expected<Node, SyntaxError> parse_document(std::string_view text) {
  if (text.size() > kMaxFile) {
    return std::unexpected(SyntaxError{0, "is larger than 1 MiB, the most that a configuration may have"});
  }
  std::string prepared(text);
  if (auto error = LookAhead(prepared).run()) return std::unexpected(std::move(*error));
  auto parsed = parse_prepared(prepared);
  if (!parsed && parsed.error().line == 0) parsed.error().line = line_of_broken_assumption(prepared);
  return parsed;
}

}  // namespace sternpost::config
