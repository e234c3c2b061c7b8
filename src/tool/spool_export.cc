#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/printable.h"
#include "tool/envelope_file.h"
#include "tool/export_folder.h"
#include "tool/removal.h"
#include "tool/spool_commands.h"
#include "tool/transfer_report.h"

namespace sternpost::tool {
namespace {

/// Messages whose names are made durable, and which leave the queue, at once.
constexpr std::size_t kBatch = 100;

/// What is known of its recipients; nothing where there is no such message. What was said of one is left out
/// where it cannot be read.
std::optional<spool::MessageState> state_of(spool::Engine& engine, QueueId id) {
  auto message = engine.find(id);
  if (!message) return std::nullopt;
  if (!engine.read_texts(*message)) message->state.drop_texts_on_disk();
  return std::move(message->state);
}

ExportedEnvelope describe(QueueId id, const mail::Envelope& envelope, const spool::MessageState& state,
                          std::string_view content) {
  ExportedEnvelope exported{.id = to_string(id),
                            .reverse_path = envelope.reverse_path,
                            .arrival = envelope.arrival,
                            .origin = envelope.origin,
                            .eight_bit = envelope.eight_bit,
                            .held = state.held,
                            .warned = state.warned,
                            .octets = content.size(),
                            .content = content_checksum(content),
                            .recipients = {}};
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    if (!state.is_open(i) && !state.is_owing(i)) continue;
    ExportedRecipient recipient{envelope.recipients[i], state.is_owing(i), 0, {}};
    if (const auto* attempted = state.find(i)) {
      recipient.attempts = attempted->attempts;
      recipient.last = attempted->last;
    }
    exported.recipients.push_back(std::move(recipient));
  }
  return exported;
}

/// One run of the command.
class Export {
 public:
  Export(spool::Engine& engine, spool::Disk& disk, ExportFolder& folder, bool remove, bool json)
      : engine_(engine), disk_(disk), folder_(folder), remove_(remove), report_("exported", json) {}

  /// Those, or all where there are none.
  Outcome<void> run(const std::vector<QueueId>& ids) {
    auto done = ids.empty() ? all() : some(ids);
    if (done) done = finish_batch();
    return report_.finish(done ? "" : done.error().text);
  }

 private:
  struct Written {
    QueueId id;
    std::string sender;
    std::size_t recipients = 0;
  };

  Outcome<void> some(const std::vector<QueueId>& ids) {
    for (const auto id : ids) {
      if (auto done = take(id); !done) return done;
    }
    return {};
  }

  Outcome<void> all() {
    for (std::uint64_t position = 0;;) {
      const auto page = engine_.messages_after(position, kBatch);
      if (page.empty()) return {};
      for (const auto& [at, id] : page) {
        position = at;
        if (auto done = take(id); !done) return done;
      }
    }
  }

  /// A failure ends the command; what is wrong with one message does not.
  Outcome<void> take(QueueId id) {
    const auto name = to_string(id);
    const auto state = state_of(engine_, id);
    if (!state) {
      report_.refused(name, "it is not in the queue");
      return {};
    }
    const auto envelope = engine_.read_envelope(id);
    const auto content = engine_.read_content(id);
    if (!envelope || !content) {
      report_.refused(name, printable(envelope ? content.error().text : envelope.error().text));
      return {};
    }
    const auto exported = describe(id, *envelope, *state, *content);
    // The envelope last: where it is, the whole message is.
    auto added = folder_.add(name + ".eml", *content);
    if (added) added = folder_.add(name + ".envelope", to_text(exported));
    if (!added) {
      report_.refused(name, added.error().text);
      return {};
    }
    written_.push_back({id, mail::to_path(envelope->reverse_path), exported.recipients.size()});
    return written_.size() < kBatch ? Outcome<void>{} : finish_batch();
  }

  Outcome<void> finish_batch() {
    if (written_.empty()) return {};
    if (auto synced = folder_.sync(); !synced) return synced;
    std::vector<Result<void>> removed(written_.size());
    if (remove_) {
      std::vector<spool::Op> ops;
      for (const auto& one : written_) {
        ops.emplace_back(spool::removal_of(one.id, engine_.find(one.id)->state,
                                           "exported by the administrator", wall_now()));
      }
      removed = engine_.commit(ops);
    }
    for (std::size_t i = 0; i < written_.size(); ++i) {
      const auto& one = written_[i];
      const auto name = to_string(one.id);
      if (removed[i]) {
        report_.done(name, name, one.sender, one.recipients);
      } else {
        report_.refused(name, "it is written and still in the queue, which cannot take it out: " +
                                  removed[i].error().text);
      }
    }
    written_.clear();
    return remove_ ? remove_discarded(engine_, disk_) : Outcome<void>{};
  }

  spool::Engine& engine_;
  spool::Disk& disk_;  ///< with the content files
  ExportFolder& folder_;
  bool remove_;
  TransferReport report_;
  std::vector<Written> written_;  ///< and not reported yet
};

}  // namespace

Outcome<void> spool_export(const Options& options, const SpoolPlace& place, const ExportOrder& order) {
  std::vector<QueueId> ids;
  for (const auto& text : order.ids) {
    const auto id = parse_queue_id(text);
    if (!id) return failure(ExitStatus::usage, fmt::format("{} is not a queue id", printable(text)));
    if (std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
  }
  const auto use = order.remove ? SpoolFolders::Use::write : SpoolFolders::Use::read;
  auto folders = SpoolFolders::open(options, place, use);
  if (!folders) return std::unexpected(std::move(folders.error()));
  const auto engine = folders->open_engine();
  if (!engine) return std::unexpected(engine.error());
  auto folder = ExportFolder::open(order.folder, ExportFolder::Missing::is_made);
  if (!folder) return std::unexpected(std::move(folder.error()));
  return Export(**engine, *folders->disks().main, *folder, order.remove, options.json).run(ids);
}

}  // namespace sternpost::tool
