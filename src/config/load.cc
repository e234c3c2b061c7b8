#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/printable.h"
#include "config/cross_check.h"
#include "config/document.h"
#include "config/read_value.h"
#include "config/registry.h"
#include "config/setups.h"
#include "config/text_types.h"

namespace sternpost::config {
namespace {

constexpr std::size_t kLongestMessage = 1'000;
constexpr std::size_t kLongestFileName = 255;
constexpr std::string_view kStateOption = "--state";

/// The end of a long name: it goes into every rule, and there may be thousands of them.
std::string shortened(const std::string& file) {
  if (file.size() <= kLongestFileName) return file;
  return "..." + file.substr(file.size() - kLongestFileName);
}

class Loader {
 public:
  explicit Loader(const Input& input) : input_(input), file_(shortened(input.file)) {}

  std::expected<Values, std::vector<std::string>> run() {
    auto document = parse_document(input_.text);
    if (!document) {
      complaints_.push_back({"", document.error().line, std::move(document.error().text)});
      return std::unexpected(messages());
    }
    collect(*document, "");
    std::vector<Setting> settings;
    for (const auto* parameter : registry()) {
      if (auto setting = read(*parameter)) settings.push_back(std::move(*setting));
    }
    apply_state_option(settings);
    if (!complaints_.empty()) return std::unexpected(messages());
    Values values(std::move(settings));
    complaints_ = cross_check(values);
    if (!complaints_.empty()) return std::unexpected(messages());
    return values;
  }

 private:
  /// Finds the node of each parameter; what no parameter has for a key is an error.
  void collect(const Node& table, const std::string& prefix) {
    for (const auto& [name, node] : table.members) {
      const auto key = prefix.empty() ? name : prefix + "." + name;
      if (const auto* parameter = find_parameter(key)) {
        given_[parameter] = &node;
      } else if (is_section(key) && node.kind == Kind::table) {
        collect(node, key);
      } else if (is_section(key)) {
        complaints_.push_back({key, node.line, "is not accepted; expected a table: [" + key + "]"});
      } else {
        complaints_.push_back({printable(key, 64), node.line, no_such_key(key, node.kind)});
      }
    }
  }

  static std::string no_such_key(const std::string& key, Kind kind) {
    if (kind == Kind::table) {
      if (const auto near = nearest_section(key); !near.empty()) {
        return fmt::format("there is no such table; did you mean [{}]?", near);
      }
    }
    const auto near = nearest_key(key);
    return near.empty() ? "there is no such key"
                        : fmt::format("there is no such key; did you mean \"{}\"?", near);
  }

  std::optional<Setting> read(const Parameter& parameter) {
    if (const auto given = given_.find(&parameter); given != given_.end()) {
      auto value = read_value(parameter, *given->second);
      if (!value) {
        std::ranges::move(value.error(), std::back_inserter(complaints_));
        return std::nullopt;
      }
      remember(parameter.key, *value);
      return Setting{&parameter, std::move(*value), {Origin::From::file, file_, given->second->line}};
    }
    Origin origin;
    std::string text(parameter.initial);
    if (const auto preset = setup_default(setup_, parameter.key)) {
      origin = {Origin::From::setup, setup_, 0};
      text = *preset == "$hostname" ? hostname_ : std::string(*preset);
    } else if (parameter.required) {
      // Without a setup nobody knows whether it would supply this one.
      if (!setup_.empty() || parameter.key != "domains") missing(parameter);
      return std::nullopt;
    }
    auto value = read_default(parameter, text);
    if (!value) return std::nullopt;  // only where the hostname it is made from was refused
    return Setting{&parameter, std::move(*value), std::move(origin)};
  }

  /// The two values that other defaults are made from; they stand first in the registry.
  void remember(std::string_view key, const Value& value) {
    if (key == "setup") setup_ = std::get<std::string>(value);
    if (key == "hostname") hostname_ = std::get<std::string>(value);
  }

  void missing(const Parameter& parameter) {
    complaints_.push_back({std::string(parameter.key), 0, "is missing; expected " + expectation(parameter)});
  }

  /// Puts every path below the folder of --state, and relative paths below the state directory.
  void apply_state_option(std::vector<Setting>& settings) {
    const auto find = [&](std::string_view key) {
      return std::ranges::find_if(settings, [&](const Setting& s) { return s.parameter->key == key; });
    };
    const auto state = find("state_directory");
    if (state == settings.end()) return;
    const bool by_option = !input_.state_directory.empty();
    if (by_option) {
      const auto path = normalize_path(input_.state_directory, false);
      if (!path || path->size() > state->parameter->bounds.most) {
        complaints_.push_back(
            {"option --state", 0,
             fmt::format("\"{}\" is not accepted; expected {}", printable(input_.state_directory, 64),
                         expectation(*state->parameter))});
        return;
      }
      state->value = *path;
      state->origin = {Origin::From::option, std::string(kStateOption), 0};
    }
    const auto& root = std::get<std::string>(state->value);
    for (const auto& [key, name] :
         {std::pair{"mailboxes.directory", "/mail"}, std::pair{"spool.deferred_directory", "/spool"}}) {
      const auto at = find(key);
      if (at == settings.end()) continue;
      auto& folder = std::get<std::string>(at->value);
      if (!folder.starts_with('/')) {
        folder = root + "/" + folder;
      } else if (by_option && !folder.starts_with(root + "/")) {
        folder = root + name;
        at->origin = {Origin::From::option, std::string(kStateOption), 0};
      }
    }
  }

  std::vector<std::string> messages() {
    // Those about the whole file come last: they have no line to stand at.
    std::multimap<std::uint32_t, const Complaint*> ordered;
    for (const auto& complaint : complaints_) ordered.emplace(complaint.line - 1U, &complaint);
    std::vector<std::string> lines;
    for (const auto& [position, complaint] : ordered) {
      const auto& [key, line, text] = *complaint;
      if (lines.size() == kMaxErrors) {
        lines.push_back(fmt::format("{}: {} more errors", printable(file_), complaints_.size() - kMaxErrors));
        break;
      }
      auto message = line == 0 ? printable(file_) : fmt::format("{}:{}", printable(file_), line);
      message += key.empty() ? ": " : ": " + key + ": ";
      message += text;
      message.resize(std::min(message.size(), kLongestMessage));
      lines.push_back(std::move(message));
    }
    return lines;
  }

  const Input& input_;
  std::string file_;
  std::map<const Parameter*, const Node*> given_;
  std::vector<Complaint> complaints_;
  std::string setup_;
  std::string hostname_;
};

}  // namespace

std::expected<Values, std::vector<std::string>> load(const Input& input) {
  return Loader(input).run();
}

}  // namespace sternpost::config
