#include "tool/manual.h"

#include <fmt/format.h>

#include "config/reference.h"

namespace sternpost::tool {
namespace {

using config::troff_text;

/// "--state TEXT", "ID ..."
std::string option_heading(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name();
  std::string names;
  for (const auto& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const auto& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  const bool takes_value = option.get_items_expected_max() > 0;
  return takes_value ? fmt::format("{} {}", names, option.get_type_name()) : names;
}

std::string options_text(const CLI::App& app) {
  std::string out;
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option == app.get_help_ptr() && app.get_parent() != nullptr) continue;  // said once, at the top
    out += fmt::format(".TP\n.B {}\n{}\n", troff_text(option_heading(*option)),
                       troff_text(option->get_description()));
    const auto value = option->get_default_str();
    if (!value.empty()) out += fmt::format("Default: {}.\n", troff_text(value));
  }
  return out;
}

/// The commands below `app`, each with what stands after its name; those in no group are not for people.
void append_commands(std::string& out, const CLI::App& app, const std::string& prefix) {
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    const auto name = prefix + " " + command->get_name();
    if (!command->get_subcommands([](const CLI::App*) { return true; }).empty()) {
      append_commands(out, *command, name);
      continue;
    }
    out += fmt::format(".SS \"{}\"\n{}\n", troff_text(name), troff_text(command->get_description()));
    out += options_text(*command);
  }
}

}  // namespace

std::string program_manual(const CLI::App& app) {
  std::string out = ".TH STERNPOST 8 \"\" \"Sternpost\" \"Sternpost manual\"\n";
  out += ".SH NAME\nsternpost \\- run and examine the Sternpost mail transfer agent\n";
  out += ".SH SYNOPSIS\n.B sternpost\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR ...\n";
  out += fmt::format(".SH DESCRIPTION\n{}\n", troff_text(app.get_description()));
  out += ".SH OPTIONS\n" + options_text(app);
  out += ".SH COMMANDS\n";
  append_commands(out, app, "sternpost");
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nThe command did what it was asked.\n"
      ".TP\n1\nThe request was refused, failed, or found nothing.\n"
      ".TP\n2\nThe command line or the configuration is wrong.\n"
      ".TP\n3\nNo instance runs with this state directory.\n"
      ".SH FILES\n"
      ".TP\n.I /etc/sternpost/sternpost.toml\nThe configuration.\n"
      ".TP\n.I STATE/log/history.jsonl\nThe decisions, one JSON object a line; older ones in history.jsonl.1 "
      "and so on.\n"
      ".TP\n.I STATE/log/mail.log\nThe same for people.\n"
      ".TP\n.I STATE/run/control\nThe control socket of the running instance.\n"
      ".SH SEE ALSO\n.BR sternpost.toml (5)\n";
  return out;
}

Outcome<void> print_document(const CLI::App& app, const std::string& name) {
  if (name == "sternpost.8") {
    fmt::print("{}", program_manual(app));
  } else if (name == "sternpost.toml.5") {
    fmt::print("{}", config::configuration_manual());
  } else if (name == "configuration.md") {
    fmt::print("{}", config::reference_markdown());
  } else {
    return failure(ExitStatus::usage, "the documents are sternpost.8, sternpost.toml.5 and configuration.md");
  }
  return {};
}

}  // namespace sternpost::tool
