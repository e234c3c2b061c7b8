#include "config/reference.h"

#include <fmt/format.h>

#include "config/read_value.h"
#include "config/registry.h"
#include "config/setups.h"
#include "config/values.h"

namespace sternpost::config {
namespace {

constexpr std::string_view kExample =
    "setup = \"internet-site\"\n"
    "hostname = \"mail.example.org\"\n"
    "domains = [\"example.org\"]\n";

constexpr std::string_view kExampleWithList =
    "[smtp]\n"
    "max_message = \"50 MiB\"\n"
    "\n"
    "[spool]\n"
    "segment = \"128 MiB\"\n"
    "\n"
    "[mailboxes]\n"
    "source = \"list\"\n"
    "\n"
    "[mailboxes.list]\n"
    "\"alice@example.org\" = \"example.org/alice\"\n"
    "\"@example.org\" = \"example.org/everyone-else\"\n";

constexpr std::string_view kIntroduction =
    "The configuration is one TOML file. `setup` chooses a standard setup, and every other key only changes "
    "what "
    "differs from it. Sizes are numbers of octets or texts with a unit (KiB, MiB, GiB, TiB; KB, MB, GB, TB "
    "for powers "
    "of ten); times are numbers of seconds or texts such as \"90s\", \"5m\", \"1h30m\", \"2d\". The file is "
    "at most "
    "1 MiB long.";

std::string default_text(const Parameter& parameter, std::string_view text) {
  if (text == "$hostname") return "the hostname";
  const auto value = read_default(parameter, text);
  return value ? to_toml(parameter, *value) : std::string(text);
}

std::string_view reload_text(const Parameter& parameter) {
  return parameter.reload == Reload::live ? "takes effect at reload" : "needs a restart";
}

/// The properties of a parameter that stand under its summary: name and text.
std::vector<std::pair<std::string_view, std::string>> properties(const Parameter& parameter) {
  std::vector<std::pair<std::string_view, std::string>> all;
  all.emplace_back("Takes", expectation(parameter));
  all.emplace_back("Default", describe_default(parameter));
  all.emplace_back("Change", reload_text(parameter));
  if (!parameter.seen_by.empty()) all.emplace_back("Seen by", parameter.seen_by);
  all.emplace_back("Since", parameter.since);
  return all;
}

/// The lines of an example between .nf and .fi.
std::string troff_example(std::string_view lines) {
  return fmt::format(".PP\n.RS 4\n.nf\n{}.fi\n.RE\n", troff_text(lines));
}

}  // namespace

std::string describe_default(const Parameter& parameter) {
  std::string text = parameter.required ? "none" : default_text(parameter, parameter.initial);
  for (const auto setup : split_words(find_parameter("setup")->choices)) {
    if (const auto preset = setup_default(setup, parameter.key)) {
      text += fmt::format("; {}: {}", setup, default_text(parameter, *preset));
    }
  }
  return text;
}

std::string explain(const Parameter& parameter) {
  std::string out = fmt::format("{}\n  {}\n", parameter.key, parameter.summary);
  if (!parameter.details.empty()) out += fmt::format("  {}\n", parameter.details);
  out += "\n";
  for (const auto& [name, text] : properties(parameter)) out += fmt::format("  {:<8} {}\n", name, text);
  return out;
}

std::string reference_markdown() {
  std::string out = "# Configuration\n\n";
  out +=
      "<!-- Made from the registry by scripts/generate-docs; change src/config/registry_*.cc instead. "
      "-->\n\n";
  out += fmt::format("{}\n\nA complete configuration:\n\n```toml\n{}```\n\n", kIntroduction, kExample);
  out += fmt::format("The same with larger messages and a list of mailboxes below it:\n\n```toml\n{}```\n",
                     kExampleWithList);
  for (const auto& topic : topics()) {
    out += fmt::format("\n## {}\n\n{}\n", topic.title, topic.about);
    for (const auto& parameter : topic.parameters) {
      out += fmt::format("\n### `{}`\n\n{}", parameter.key, parameter.summary);
      if (!parameter.details.empty()) out += fmt::format(" {}", parameter.details);
      out += "\n\n";
      for (const auto& [name, text] : properties(parameter)) out += fmt::format("- {}: {}\n", name, text);
    }
  }
  return out;
}

std::string configuration_manual() {
  std::string out = ".TH STERNPOST.TOML 5 \"\" \"Sternpost\" \"Sternpost manual\"\n";
  out += ".SH NAME\nsternpost.toml \\- configuration of the Sternpost mail transfer agent\n";
  out += ".SH SYNOPSIS\n.I /etc/sternpost/sternpost.toml\n.SH DESCRIPTION\n";
  out += troff_text(kIntroduction) + "\n.PP\nA complete configuration:\n" + troff_example(kExample);
  out += ".PP\nThe same with larger messages and a list of mailboxes below it:\n" +
         troff_example(kExampleWithList);
  for (const auto& topic : topics()) {
    out += fmt::format(".SH \"{}\"\n{}\n", troff_text(topic.title), troff_text(topic.about));
    for (const auto& parameter : topic.parameters) {
      out += fmt::format(".TP\n.B {}\n{}\n", troff_text(parameter.key), troff_text(parameter.summary));
      if (!parameter.details.empty()) out += fmt::format("{}\n", troff_text(parameter.details));
      for (const auto& [name, text] : properties(parameter)) {
        out += fmt::format(".br\n{}: {}\n", name, troff_text(text));
      }
    }
  }
  out += ".SH SEE ALSO\n.BR sternpost (8)\n";
  return out;
}

std::string troff_text(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace sternpost::config
