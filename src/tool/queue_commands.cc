#include "tool/queue_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "tool/configuration.h"
#include "tool/control_client.h"

namespace sternpost::tool {
namespace {

std::string_view state_name(spool_admin::State state) {
  constexpr std::array<std::string_view, kEnumBound<spool_admin::State>> kNames = {
      "queued", "active", "deferred", "held", "owing"};
  return kNames[static_cast<unsigned>(state)];
}

std::string_view disposition_name(mail::Disposition disposition) {
  constexpr std::array<std::string_view, kEnumBound<mail::Disposition>> kNames = {
      "delivered", "failed", "deferred", "deleted", "bounced"};
  return kNames[static_cast<unsigned>(disposition)];
}

Outcome<QueueId> parse_id(const std::string& text) {
  const auto id = parse_queue_id(text);
  if (!id) return failure(ExitStatus::usage, fmt::format("{} is not a queue id", printable(text)));
  return *id;
}

std::unexpected<Failure> unknown_id(QueueId id) {
  return failure(ExitStatus::failed, fmt::format("{} is not in the queue", to_string(id)));
}

/// Calls `use` for every entry of the queue, page by page.
template <class Use>
Outcome<void> for_each_entry(ControlClient& client, Use&& use) {
  std::uint64_t after = 0;
  do {
    const auto page = client.ask<spool_admin::Listed>(spool_admin::List{0, after, spool_admin::kMaxListed});
    if (!page) return std::unexpected(page.error());
    for (const auto& entry : page->entries) use(entry);
    if (page->position != 0 && page->position <= after) {
      return failure(ExitStatus::failed, "the instance gave the same page of the queue twice");
    }
    after = page->position;
  } while (after != 0);
  return {};
}

/// "      from 192.0.2.1:40312 (mx.example.net) with ESMTP, session …"
std::string origin_text(const mail::Origin& origin) {
  if (origin == mail::Origin{}) return {};
  auto out = fmt::format("      from {}", origin.client.empty() ? "this host" : printable(origin.client));
  if (!origin.helo.empty()) out += fmt::format(" ({})", printable(origin.helo));
  if (!origin.protocol.empty()) out += " with " + printable(origin.protocol);
  if (!origin.session.empty()) out += ", session " + printable(origin.session);
  return out + "\n";
}

std::string recipient_text(const spool_admin::RecipientEntry& recipient) {
  auto out = fmt::format("      <{}> {}", printable(recipient.address.to_wire()),
                         recipient.finished ? "finished" : "open");
  if (recipient.attempts != 0) out += fmt::format(", attempts: {}", recipient.attempts);
  if (recipient.last) {
    out += fmt::format(", last {} {}: {}", to_rfc3339(recipient.last->attempted),
                       disposition_name(recipient.last->disposition),
                       printable(to_string(recipient.last->reply), 1024));
    if (!recipient.last->remote.empty()) {
      out += fmt::format(" (said by {})", printable(recipient.last->remote, 512));
    }
  }
  return out + "\n";
}

/// One after the other. What the instance refuses does not keep the others from being asked for; a
/// conversation that ends does.
Outcome<void> act_on(ControlClient& client, const std::vector<QueueId>& ids, spool_admin::Action action) {
  std::string refused;
  const auto refuse = [&](std::string_view line) {
    refused.append(refused.empty() ? "" : "\n").append(line);
  };
  for (const auto id : ids) {
    const auto acted = client.ask<spool_admin::Acted>(spool_admin::Act{0, id, action});
    if (!acted) {
      refuse(fmt::format("{}: {}", to_string(id), acted.error().text));
      break;
    }
    if (!acted->refused.empty()) refuse(fmt::format("{}: {}", to_string(id), printable(acted->refused)));
  }
  if (!refused.empty()) return failure(ExitStatus::failed, std::move(refused));
  return {};
}

}  // namespace

std::string queue_header() {
  return fmt::format("{:<8} {:<8} {:>10}  {:<27}  {}\n", "ID", "STATE", "OCTETS", "ARRIVED", "SENDER");
}

std::string entry_text(const spool_admin::Entry& entry) {
  auto out =
      fmt::format("{:<8} {:<8} {:>10}  {:<27}  {}\n", to_string(entry.id), state_name(entry.state),
                  entry.bytes, to_rfc3339(entry.arrival), printable(mail::to_path(entry.reverse_path), 1024));
  out += origin_text(entry.origin);
  if (entry.next) {
    out += fmt::format("      next attempt {}", to_rfc3339(*entry.next));
    if (!entry.because.empty()) out += ": " + printable(entry.because, 1024);
    out += "\n";
  }
  for (const auto& recipient : entry.recipients) out += recipient_text(recipient);
  return out;
}

void append_entry_json(JsonWriter& writer, const spool_admin::Entry& entry) {
  writer.begin_object().member("id", to_string(entry.id)).member("state", state_name(entry.state));
  writer.member("octets", entry.bytes).member("arrived", to_rfc3339(entry.arrival));
  writer.member("sender", mail::to_path(entry.reverse_path)).member("protocol", entry.origin.protocol);
  writer.member("client", entry.origin.client).member("helo", entry.origin.helo);
  writer.member("session", entry.origin.session);
  if (entry.next) writer.member("next", to_rfc3339(*entry.next));
  if (!entry.because.empty()) writer.member("because", entry.because);
  writer.key("recipients").begin_array();
  for (const auto& recipient : entry.recipients) {
    writer.begin_object()
        .member("address", recipient.address.to_wire())
        .member("finished", recipient.finished);
    writer.member("attempts", recipient.attempts);
    if (recipient.last) {
      writer.key("last").begin_object().member("attempted", to_rfc3339(recipient.last->attempted));
      writer.member("disposition", disposition_name(recipient.last->disposition));
      writer.member("reply", to_string(recipient.last->reply));
      writer.member("said_by", recipient.last->remote).end_object();
    }
    writer.end_object();
  }
  writer.end_array().end_object();
}

Outcome<void> queue_list(const Options& options) {
  std::string line;
  JsonWriter writer(line);
  if (options.json) writer.begin_array();
  bool first = true;
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  const auto listed = for_each_entry(*client, [&](const spool_admin::Entry& entry) {
    if (options.json) {
      append_entry_json(writer, entry);
    } else {
      line = (first ? queue_header() : "") + entry_text(entry);
    }
    first = false;
    fmt::print("{}", line);
    line.clear();
  });
  if (!listed) return listed;
  if (options.json) {
    writer.end_array();
    fmt::print("{}\n", line);
  } else if (first) {
    fmt::print("the queue is empty\n");
  }
  return {};
}

Outcome<std::optional<spool_admin::Entry>> ask_entry(const Options& options, QueueId id) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  auto shown = client->ask<spool_admin::Shown>(spool_admin::Show{0, id});
  if (!shown) return std::unexpected(std::move(shown.error()));
  return std::move(shown->entry);
}

Outcome<void> queue_show(const Options& options, const std::string& id) {
  const auto parsed = parse_id(id);
  if (!parsed) return std::unexpected(parsed.error());
  const auto entry = ask_entry(options, *parsed);
  if (!entry) return std::unexpected(entry.error());
  if (!*entry) return unknown_id(*parsed);
  if (!options.json) {
    fmt::print("{}{}", queue_header(), entry_text(**entry));
    return {};
  }
  std::string out;
  JsonWriter writer(out);
  append_entry_json(writer, **entry);
  fmt::print("{}\n", out);
  return {};
}

Outcome<void> queue_act(const Options& options, const std::vector<std::string>& ids,
                        spool_admin::Action action) {
  std::vector<QueueId> parsed;
  for (const auto& text : ids) {
    const auto id = parse_id(text);
    if (!id) return std::unexpected(id.error());
    parsed.push_back(*id);
  }
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  return act_on(*client, parsed, action);
}

Outcome<void> queue_release_held(const Options& options) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  std::vector<QueueId> held;
  const auto listed = for_each_entry(*client, [&](const spool_admin::Entry& entry) {
    if (entry.state == spool_admin::State::held) held.push_back(entry.id);
  });
  if (!listed) return listed;
  const auto done = act_on(*client, held, spool_admin::Action::release);
  if (done) fmt::print("released: {}\n", held.size());
  return done;
}

namespace {

/// How many recipients were waiting; nothing where qmgr knows no such message or site.
Outcome<std::optional<std::uint64_t>> flush_one(ControlClient& client, QueueId id, const std::string& site) {
  const auto flushed = client.ask<qmgr::Flushed>(qmgr::Flush{0, id, site});
  if (!flushed) return std::unexpected(flushed.error());
  if (!flushed->known) return std::optional<std::uint64_t>();
  return std::optional(flushed->recipients);
}

/// Messages with somebody open at this domain.
Outcome<std::optional<std::uint64_t>> flush_domain(ControlClient& client, const std::string& name) {
  const auto domain = mail::Domain::from_wire(name);
  if (!domain) return std::optional<std::uint64_t>();
  std::vector<QueueId> ids;
  const auto listed = for_each_entry(client, [&](const spool_admin::Entry& entry) {
    const bool has = std::ranges::any_of(entry.recipients, [&](const spool_admin::RecipientEntry& recipient) {
      return !recipient.finished && recipient.address.domain() == *domain;
    });
    if (has) ids.push_back(entry.id);
  });
  if (!listed) return std::unexpected(listed.error());
  if (ids.empty()) return std::optional<std::uint64_t>();
  std::uint64_t recipients = 0;
  for (const auto id : ids) {
    const auto flushed = flush_one(client, id, {});
    if (!flushed) return flushed;
    recipients += flushed->value_or(0);  // finished meanwhile
  }
  return std::optional(recipients);
}

/// An id, a site or one of its hosts, or the domain of recipients: what is known of these comes first.
Outcome<std::optional<std::uint64_t>> flush_named(ControlClient& client, const std::string& name) {
  if (const auto id = parse_queue_id(name)) {
    auto flushed = flush_one(client, *id, {});
    if (!flushed || *flushed) return flushed;
  }
  auto flushed = flush_one(client, {}, name);
  if (!flushed || *flushed) return flushed;
  return flush_domain(client, name);
}

}  // namespace

Outcome<void> queue_flush(const Options& options, const std::vector<std::string>& names) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  std::uint64_t recipients = 0;
  std::string unknown;
  for (const auto& name : names) {
    const auto flushed = flush_named(*client, name);
    if (!flushed) return std::unexpected(flushed.error());
    if (!*flushed) {
      unknown += fmt::format("{}{}: no message, site or domain of this name waits in the queue",
                             unknown.empty() ? "" : "\n", printable(name));
    }
    recipients += flushed->value_or(0);
  }
  if (names.empty()) {
    const auto flushed = flush_one(*client, {}, {});
    if (!flushed) return std::unexpected(flushed.error());
    recipients = flushed->value_or(0);
  }
  fmt::print("recipients that are tried now: {}\n", recipients);
  if (!unknown.empty()) return failure(ExitStatus::failed, std::move(unknown));
  return {};
}

}  // namespace sternpost::tool
