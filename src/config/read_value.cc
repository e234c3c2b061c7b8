#include "config/read_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/printable.h"
#include "config/network.h"
#include "config/registry.h"
#include "config/text_types.h"
#include "config/units.h"

namespace sternpost::config {
namespace {

using Complaints = std::vector<Complaint>;

/// The most complaints about one value: what an administrator reads at once.
constexpr std::size_t kMostComplaints = 20;
constexpr std::size_t kLongestEntry = 512;

std::string describe(const Node& node) {
  switch (node.kind) {
    case Kind::text:
      return fmt::format("\"{}\"", printable(node.scalar, 64));
    case Kind::integer:
    case Kind::boolean:
      return node.scalar;
    case Kind::list:
      return node.items.empty() ? "an empty list" : "a list";
    case Kind::table:
      return "a table";
    case Kind::other:
      break;
  }
  return "a fraction, date or time";
}

std::unexpected<Complaints> refuse(const Parameter& parameter, const Node& node, std::string_view more = {}) {
  return std::unexpected(Complaints{
      {std::string(parameter.key), node.line,
       fmt::format("{} is not accepted; expected {}{}", describe(node), expectation(parameter), more)}});
}

/// The number of a node, in the parameter's unit.
std::optional<std::uint64_t> read_number(Type type, const Node& node) {
  if (node.kind != Kind::integer && node.kind != Kind::text) return std::nullopt;
  switch (type) {
    case Type::size:
      return parse_size(node.scalar);
    case Type::milliseconds:
      return parse_duration(node.scalar);
    case Type::duration: {
      const auto milliseconds = parse_duration(node.scalar);
      if (!milliseconds || *milliseconds % 1'000 != 0) return std::nullopt;
      return *milliseconds / 1'000;
    }
    default:
      return node.kind == Kind::integer ? parse_size(node.scalar) : std::nullopt;
  }
}

std::optional<std::string> normalize_text(Type type, std::string_view text) {
  switch (type) {
    case Type::hostname:
      return normalize_hostname(text);
    case Type::domains:
      return normalize_domain(text);
    case Type::networks:
      return normalize_network(text);
    case Type::endpoints: {
      const auto endpoint = parse_endpoint(text);
      if (!endpoint) return std::nullopt;
      return format_endpoint(*endpoint);
    }
    case Type::addresses:
      return normalize_address(text);
    case Type::next_hop:
      return normalize_next_hop(text);
    case Type::path:
      return normalize_path(text, false);
    case Type::folder:
      return normalize_path(text, true);
    case Type::user_part:
      return normalize_user_part(text);
    case Type::account:
      return normalize_account(text);
    case Type::delimiter:
      return normalize_delimiter(text);
    default:
      return std::nullopt;
  }
}

std::string_view entry_expectation(Type type) {
  switch (type) {
    case Type::domains:
      return "a domain such as \"example.org\"";
    case Type::addresses:
      return "an IP address such as \"192.0.2.1\" or \"2001:db8::1\"";
    case Type::networks:
      return "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", without bits set beyond its length";
    default:
      return "an address and port such as \"192.0.2.1:25\" or \"[2001:db8::1]:25\"";
  }
}

std::expected<Value, Complaints> read_choice(const Parameter& parameter, const Node& node) {
  const auto choices = split_words(parameter.choices);
  if (node.kind != Kind::text) return refuse(parameter, node);
  if (std::ranges::find(choices, node.scalar) != choices.end()) return Value(node.scalar);
  const auto near = nearest_word(node.scalar, choices);
  return refuse(parameter, node, near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

std::expected<Value, Complaints> read_list(const Parameter& parameter, const Node& node) {
  if (node.kind != Kind::list || node.items.size() < parameter.bounds.least) return refuse(parameter, node);
  const std::string key(parameter.key);
  if (node.items.size() > parameter.bounds.most) {
    return std::unexpected(Complaints{{key, node.line,
                                       fmt::format("a list of {} entries is too long; expected {}",
                                                   node.items.size(), expectation(parameter))}});
  }
  std::vector<std::string> entries;
  std::set<std::string, std::less<>> seen;
  Complaints complaints;
  for (const auto& item : node.items) {
    if (complaints.size() >= kMostComplaints) break;
    std::optional<std::string> entry;
    if (item.kind == Kind::text && item.scalar.size() <= kLongestEntry) {
      entry = normalize_text(parameter.type, item.scalar);
    }
    if (!entry) {
      complaints.push_back({key, item.line,
                            fmt::format("{} is not accepted; expected {}", describe(item),
                                        entry_expectation(parameter.type))});
    } else if (!seen.insert(*entry).second) {
      complaints.push_back({key, item.line, fmt::format("{} is given twice", describe(item))});
    } else {
      entries.push_back(std::move(*entry));
    }
  }
  if (!complaints.empty()) return std::unexpected(std::move(complaints));
  return Value(std::move(entries));
}

std::expected<Value, Complaints> read_mailboxes(const Parameter& parameter, const Node& node) {
  if (node.kind != Kind::table) return refuse(parameter, node);
  if (node.members.size() > parameter.bounds.most) {
    return std::unexpected(Complaints{{std::string(parameter.key), node.line,
                                       fmt::format("a table of {} entries is too long; expected {}",
                                                   node.members.size(), expectation(parameter))}});
  }
  std::vector<MailboxRow> rows;
  std::set<std::string, std::less<>> seen;
  Complaints complaints;
  for (const auto& member : node.members) {
    if (complaints.size() >= kMostComplaints) break;
    const auto& name = member.name;
    const auto& folder = member.node;
    const auto complain = [&](std::string text) {
      complaints.push_back(
          {fmt::format("{}.\"{}\"", parameter.key, printable(name, 64)), folder.line, std::move(text)});
    };
    const auto address = normalize_mailbox_address(name);
    std::optional<std::string> directory;
    if (folder.kind == Kind::text) directory = normalize_mailbox_directory(folder.scalar);
    if (!address) {
      complain("is not an address; expected \"user@example.org\" or \"@example.org\", in quotes");
    } else if (!seen.insert(*address).second) {
      complain("is given twice");
    } else if (!directory) {
      complain(
          fmt::format("{} is not accepted; expected a folder below mailboxes.directory such as "
                      "\"example.org/user\": relative, no component beginning with a dot, at most 512 octets "
                      "and 16 levels",
                      describe(folder)));
    } else {
      rows.push_back({*address, std::move(*directory), folder.line});
    }
  }
  if (!complaints.empty()) return std::unexpected(std::move(complaints));
  return Value(std::move(rows));
}

/// One route: its next hop alone, or a table { to = "...", from = [...] }.
class RouteReader {
 public:
  RouteReader(std::string_view key, const Member& member) : key_(key), member_(member) {}

  std::expected<RouteRow, Complaints> read() {
    row_.line = member_.node.line;
    const auto pattern = normalize_route_pattern(member_.name);
    if (!pattern) {
      complain(member_.node, "is no domain; expected \"example.org\", \".example.org\" or \"*\", in quotes");
    } else {
      row_.pattern = *pattern;
    }
    if (member_.node.kind == Kind::table) {
      read_table();
    } else {
      read_next_hop(member_.node);
    }
    if (row_.next_hop.empty() && complaints_.empty())
      complain(member_.node, fmt::format("has no next hop; {}", kExpected));
    if (!complaints_.empty()) return std::unexpected(std::move(complaints_));
    return std::move(row_);
  }

 private:
  static constexpr std::string_view kExpected =
      "expected a next hop such as \"relay.example.net\", \"[192.0.2.1]:25\" or { to = "
      "\"[192.0.2.1]:25\", from = [\"192.0.2.9\"] }";

  void complain(const Node& node, std::string_view text) {
    complaints_.push_back(
        {fmt::format("{}.\"{}\"", key_, printable(member_.name, 64)), node.line, std::string(text)});
  }

  void read_next_hop(const Node& node) {
    auto hop = node.kind == Kind::text && node.scalar.size() <= kLongestEntry
                   ? normalize_next_hop(node.scalar)
                   : std::nullopt;
    if (!hop) return complain(node, fmt::format("{} is not accepted; {}", describe(node), kExpected));
    row_.next_hop = std::move(*hop);
  }

  void read_table() {
    for (const auto& [name, node] : member_.node.members) {
      if (name == "to") {
        read_next_hop(node);
      } else if (name == "from") {
        read_sources(node);
      } else {
        complain(node,
                 fmt::format("there is no such key here: {}; expected to and from", printable(name, 64)));
      }
    }
  }

  void read_sources(const Node& node) {
    constexpr Parameter kSources{.type = Type::addresses, .bounds = {1, 2}};
    auto sources = read_list(kSources, node);
    if (!sources) return complain(node, sources.error().front().text);
    row_.sources = std::move(std::get<std::vector<std::string>>(*sources));
  }

  std::string_view key_;
  const Member& member_;
  RouteRow row_;
  Complaints complaints_;
};

std::expected<Value, Complaints> read_routes(const Parameter& parameter, const Node& node) {
  if (node.kind != Kind::table) return refuse(parameter, node);
  if (node.members.size() > parameter.bounds.most) {
    return std::unexpected(Complaints{{std::string(parameter.key), node.line,
                                       fmt::format("a table of {} entries is too long; expected {}",
                                                   node.members.size(), expectation(parameter))}});
  }
  std::vector<RouteRow> rows;
  std::set<std::string, std::less<>> seen;
  Complaints complaints;
  for (const auto& member : node.members) {
    if (complaints.size() >= kMostComplaints) break;
    auto row = RouteReader(parameter.key, member).read();
    if (!row) {
      std::ranges::move(row.error(), std::back_inserter(complaints));
    } else if (!seen.insert(row->pattern).second) {
      complaints.push_back({fmt::format("{}.\"{}\"", parameter.key, printable(member.name, 64)),
                            member.node.line, "is given twice"});
    } else {
      rows.push_back(std::move(*row));
    }
  }
  if (!complaints.empty()) return std::unexpected(std::move(complaints));
  return Value(std::move(rows));
}

}  // namespace

std::expected<Value, std::vector<Complaint>> read_value(const Parameter& parameter, const Node& node) {
  switch (parameter.type) {
    case Type::boolean:
      if (node.kind != Kind::boolean) return refuse(parameter, node);
      return Value(node.scalar == "true");
    case Type::count:
    case Type::size:
    case Type::duration:
    case Type::milliseconds: {
      const auto number = read_number(parameter.type, node);
      if (!number || *number < parameter.bounds.least || *number > parameter.bounds.most) {
        return refuse(parameter, node);
      }
      return Value(*number);
    }
    case Type::choice:
      return read_choice(parameter, node);
    case Type::domains:
    case Type::networks:
    case Type::endpoints:
    case Type::addresses:
      return read_list(parameter, node);
    case Type::mailboxes:
      return read_mailboxes(parameter, node);
    case Type::routes:
      return read_routes(parameter, node);
    default:
      break;
  }
  if (node.kind != Kind::text || node.scalar.size() < parameter.bounds.least ||
      node.scalar.size() > parameter.bounds.most) {
    return refuse(parameter, node);
  }
  auto text = normalize_text(parameter.type, node.scalar);
  if (!text) return refuse(parameter, node);
  return Value(std::move(*text));
}

std::expected<Value, std::vector<Complaint>> read_default(const Parameter& parameter, std::string_view text) {
  Node node{.kind = Kind::text, .line = 0, .scalar = std::string(text), .items = {}, .members = {}};
  switch (parameter.type) {
    case Type::boolean:
      node.kind = Kind::boolean;
      break;
    case Type::count:
      node.kind = Kind::integer;
      break;
    case Type::domains:
    case Type::networks:
    case Type::endpoints:
    case Type::addresses:
      node.kind = Kind::list;
      for (const auto word : split_words(text)) {
        node.items.push_back(
            {.kind = Kind::text, .line = 0, .scalar = std::string(word), .items = {}, .members = {}});
      }
      break;
    case Type::mailboxes:
    case Type::routes:
      node.kind = Kind::table;
      break;
    default:
      break;
  }
  return read_value(parameter, node);
}

std::string expectation(const Parameter& parameter) {
  const auto [least, most] = parameter.bounds;
  switch (parameter.type) {
    case Type::boolean:
      return "true or false";
    case Type::count:
      return fmt::format("a whole number from {} to {}", least, most);
    case Type::size:
      return fmt::format("a size from {} to {}, such as \"25 MiB\"", format_size(least), format_size(most));
    case Type::duration:
      return fmt::format("a time from {} to {} in whole seconds, such as \"{}\"",
                         format_duration(least * 1'000), format_duration(most * 1'000),
                         format_duration(std::min(most, 5 * kMinute) * 1'000));
    case Type::milliseconds:
      return fmt::format("a time from {} to {}, such as \"500ms\"", format_duration(least),
                         format_duration(most));
    case Type::choice: {
      std::string words;
      for (const auto word : split_words(parameter.choices)) {
        words += fmt::format("{}\"{}\"", words.empty() ? "" : " or ", word);
      }
      return words;
    }
    case Type::hostname:
      return "a domain name such as \"mail.example.org\"";
    case Type::domains:
      return fmt::format("a list of {} to {} domains such as [\"example.org\"]", least, most);
    case Type::networks:
      return fmt::format("a list of {} to {} networks such as [\"192.0.2.0/24\", \"2001:db8::/32\"]", least,
                         most);
    case Type::endpoints:
      return fmt::format(
          "a list of {} to {} addresses with port such as [\"192.0.2.1:25\", \"[2001:db8::1]:25\"]", least,
          most);
    case Type::addresses:
      return fmt::format("a list of {} to {} IP addresses such as [\"192.0.2.1\"]", least, most);
    case Type::next_hop:
      return "a next hop such as \"relay.example.net\", \"[192.0.2.1]:25\" or "
             "\"lmtp:unix:/run/dovecot/lmtp\", or \"\"";
    case Type::routes:
      return fmt::format("a table of at most {} lines such as \"example.org\" = \"[192.0.2.1]:25\"", most);
    case Type::path:
      return fmt::format("an absolute path of at most {} octets, without \"..\"", most);
    case Type::folder:
      return fmt::format(
          "a path, absolute or below the state directory, of at most {} octets, without \"..\"", most);
    case Type::user_part:
      return fmt::format("the local part of an address, without quotes, of at most {} octets", most);
    case Type::account:
      return "the name or number of an account other than root, or \"\"";
    case Type::delimiter:
      return "one of the characters + - = _ # % & ! ~ ^ | $ *, or \"\"";
    case Type::mailboxes:
      return fmt::format("a table of at most {} lines such as \"user@example.org\" = \"example.org/user\"",
                         most);
  }
  return {};
}

}  // namespace sternpost::config
