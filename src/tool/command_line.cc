#include "tool/command_line.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "tool/config_commands.h"
#include "tool/control_commands.h"
#include "tool/manual.h"
#include "tool/queue_commands.h"
#include "tool/spool_commands.h"
#include "tool/start.h"
#include "tool/why.h"

namespace sternpost::tool {
namespace {

using spool_admin::Action;

constexpr unsigned kStories = 20;
constexpr unsigned kMostStories = 10'000;

/// Adds a command that runs `run` when it was chosen.
template <class Run>
CLI::App* add(CLI::App& parent, Invocation& invocation, const std::string& name,
              const std::string& description, Run run) {
  auto* command = parent.add_subcommand(name, description);
  command->callback(
      [&invocation, run] { invocation.command = [&invocation, run] { return run(invocation); }; });
  return command;
}

void add_run_commands(CLI::App& app, Invocation& invocation) {
  auto* start_command =
      add(app, invocation, "start", "Start the server; returns when it is ready or has failed to start.",
          [](const Invocation& i) { return start(i.options, i.foreground); });
  start_command->add_flag(
      "--foreground", invocation.foreground,
      "Stay in the foreground: print a line when ready, stop at SIGTERM, reload at SIGHUP.");
  add(app, invocation, "stop", "Stop the running server; returns when it has ended.",
      [](const Invocation& i) { return stop(i.options); });
  add(app, invocation, "reload", "Put a changed configuration into force without refusing a connection.",
      [](const Invocation& i) { return reload(i.options); });
  auto* status_command =
      add(app, invocation, "status", "Show the processes of the running server and its queue.",
          [](const Invocation& i) { return status(i.options, i.counters); });
  status_command->add_flag("--counters", invocation.counters, "Show what each process has counted.");
}

void add_config_commands(CLI::App& app, Invocation& invocation) {
  auto* config = app.add_subcommand("config", "Check, show and explain the configuration.");
  config->require_subcommand(1);
  add(*config, invocation, "check", "Say what is wrong with the configuration, if anything is.",
      [](const Invocation& i) { return config_check(i.options); });
  add(*config, invocation, "show", "Show every value and where it came from.",
      [](const Invocation& i) { return config_show(i.options); });
  auto* explain = add(*config, invocation, "explain", "Explain one parameter, or list all of them.",
                      [](const Invocation& i) { return config_explain(i.options, i.argument); });
  explain->add_option("KEY", invocation.argument, "The parameter's key, such as smtp.max_message.");
}

void add_queue_commands(CLI::App& app, Invocation& invocation) {
  auto* queue = app.add_subcommand("queue", "List and change the messages in the queue.");
  queue->require_subcommand(1);
  add(*queue, invocation, "list", "List the messages in the queue.",
      [](const Invocation& i) { return queue_list(i.options); });
  auto* show = add(*queue, invocation, "show", "Show one message in the queue.",
                   [](const Invocation& i) { return queue_show(i.options, i.argument); });
  show->add_option("ID", invocation.argument, "The queue id.")->required();
  const auto add_action = [&](const std::string& name, const std::string& description, Action action) {
    auto* command = add(*queue, invocation, name, description, [action](const Invocation& i) {
      return i.held ? queue_release_held(i.options) : queue_act(i.options, i.ids, action);
    });
    command->add_option("ID", invocation.ids, "The queue ids.");
    return command;
  };
  add_action("hold", "Keep messages from being delivered until they are released.", Action::hold)
      ->require_option(1);
  auto* release = add_action("release", "Let held messages be delivered.", Action::release);
  release->add_flag("--held", invocation.held, "All that are held, instead of ids.");
  release->require_option(1);
  auto* flush = add(*queue, invocation, "flush",
                    "Try at once what waits for its time, whatever is known of its destination.",
                    [](const Invocation& i) { return queue_flush(i.options, i.ids); });
  flush->add_option("NAME", invocation.ids, "Queue ids, sites or their hosts, or domains of recipients.");
  flush->add_flag("--all", invocation.all, "Everything that waits.");
  flush->require_option(1);
  add_action("delete", "Take messages out of the queue for good, without a notice to anyone.", Action::remove)
      ->require_option(1);
}

/// A command for the queue on disk; the options that name another queue than the configuration's belong to
/// each.
template <class Run>
CLI::App* add_spool_command(CLI::App& spool, Invocation& invocation, const std::string& name,
                            const std::string& description, Run run) {
  auto* command = add(spool, invocation, name, description, run);
  auto* directory = command->add_option(
      "--directory", invocation.spool.directory,
      "The folder with the segments, such as a copy, instead of the queue that the configuration names.");
  command
      ->add_option("--deferred-directory", invocation.spool.deferred_directory,
                   "The folder of the deferred log's segments, where they are not in that one.")
      ->needs(directory);
  return command;
}

void add_repair_command(CLI::App& spool, Invocation& invocation) {
  auto& order = invocation.repair;
  auto* command = add_spool_command(
      spool, invocation, "repair",
      "Make a damaged queue whole again, without what cannot be read. Says what there is to do; does it with "
      "--write alone.",
      [](const Invocation& i) { return spool_repair(i.options, i.spool, i.repair); });
  auto* write = command->add_flag("--write", order.write, "Do it: copy damaged files, and change the queue.");
  auto* keep = command->add_option("--keep", order.keep,
                                   "The folder that damaged files are copied to first; new or empty.");
  command
      ->add_flag("--missing-is-lost", order.missing_is_lost,
                 "Give up segments whose files are not there, which otherwise is refused.")
      ->needs(write);
  write->needs(keep);
  keep->needs(write);
}

void add_spool_commands(CLI::App& app, Invocation& invocation) {
  auto* spool =
      app.add_subcommand("spool", "Examine and move the queue on disk while the server is stopped.");
  spool->require_subcommand(1);
  add_spool_command(*spool, invocation, "check",
                    "Read the whole queue on disk and say what is damaged. Changes nothing.",
                    [](const Invocation& i) { return spool_check(i.options, i.spool); });
  auto* dump = add_spool_command(
      *spool, invocation, "dump", "Print the records of the queue's log in their order. Changes nothing.",
      [](const Invocation& i) { return spool_dump(i.options, i.spool, i.argument); });
  dump->add_option("--id", invocation.argument, "Only what is about the message with this queue id.");
  add_repair_command(*spool, invocation);
  auto* out = add_spool_command(
      *spool, invocation, "export", "Write messages of the queue as files, ID.eml and ID.envelope, durably.",
      [](const Invocation& i) { return spool_export(i.options, i.spool, {i.folder, i.ids, i.remove}); });
  out->add_option("FOLDER", invocation.folder, "Where to; made if missing. No file there is changed.")
      ->required();
  out->add_option("ID", invocation.ids, "The queue ids; without any, all messages.");
  out->add_flag("--remove", invocation.remove,
                "What was written durably leaves the queue, without a notice.");
  auto* in = add_spool_command(
      *spool, invocation, "import",
      "Take the messages of a folder that spool export wrote into the queue, under new ids.",
      [](const Invocation& i) { return spool_import(i.options, i.spool, i.folder); });
  in->add_option("FOLDER", invocation.folder, "Where from; what was taken is called *.imported there then.")
      ->required();
}

void add_explaining_commands(CLI::App& app, Invocation& invocation) {
  auto* why_command = add(app, invocation, "why",
                          "Tell what was decided about a message, an address or a client, and by which rule.",
                          [](const Invocation& i) { return why(i.options, i.argument, i.most); });
  why_command
      ->add_option("SUBJECT", invocation.argument, "A queue id, a mail address or a client's IP address.")
      ->required();
  why_command
      ->add_option("--most", invocation.most, "The most messages of an address or client to tell about.")
      ->check(CLI::Range(1U, kMostStories))
      ->default_val(kStories);
  auto* show = app.add_subcommand("show", "Show how the server is built.");
  show->require_subcommand(1);
  add(*show, invocation, "plan", "Show what each compartment may do, and which layers hold it to that.",
      [](const Invocation& i) { return show_plan(i.options); });
}

}  // namespace

std::unique_ptr<CLI::App> make_command_line(Invocation& invocation) {
  auto app = std::make_unique<CLI::App>(
      "Runs and examines Sternpost, a mail transfer agent of small, confined programs and a log-structured "
      "queue.",
      "sternpost");
  app->set_version_flag("--version", "sternpost " STERNPOST_VERSION, "Print the version and end.");
  app->set_help_flag("-h,--help", "Print help and end.");
  app->add_option("--config", invocation.options.config, "The configuration file.")->capture_default_str();
  app->add_option(
      "--state", invocation.options.state,
      "The state directory; every path of the instance is put below it, whatever the configuration says.");
  app->add_flag("--json", invocation.options.json, "Print JSON, where a command lists anything.");
  app->require_subcommand(1);
  app->fallthrough();
  add_run_commands(*app, invocation);
  add_config_commands(*app, invocation);
  add_queue_commands(*app, invocation);
  add_spool_commands(*app, invocation);
  add_explaining_commands(*app, invocation);
  auto* manual = add(*app, invocation, "manual", "Print one of the documents that are made from the program.",
                     [&app = *app](const Invocation& i) { return print_document(app, i.argument); });
  manual->add_option("DOCUMENT", invocation.argument, "sternpost.8, sternpost.toml.5 or configuration.md.")
      ->required();
  manual->group("");
  return app;
}

}  // namespace sternpost::tool
