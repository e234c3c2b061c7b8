#include <fmt/format.h>

#include <optional>

#include "base/printable.h"
#include "spool/log_walk.h"
#include "tool/envelope_file.h"
#include "tool/export_folder.h"
#include "tool/import_journal.h"
#include "tool/removal.h"
#include "tool/spool_commands.h"
#include "tool/transfer_report.h"

namespace sternpost::tool {
namespace {

/// Messages that share a journal and a group of the log; less where they are large.
constexpr std::size_t kBatch = 100;
constexpr std::size_t kBatchBytes = 2ULL << 20U;
constexpr std::uint64_t kSparesWanted = 2;
constexpr std::string_view kEnvelope = ".envelope";
constexpr std::string_view kContent = ".eml";
constexpr std::string_view kImported = ".imported";

struct Incoming {
  std::string name;
  ExportedEnvelope envelope;
  std::string content;
};

/// Lines as an SMTP server takes them: what the next hop does with others is not for us to find out.
std::string_view fault_of(std::string_view content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] == '\0') return "has a NUL";
    if (content[i] == '\n' && (i == 0 || content[i - 1] != '\r')) return "has an LF without CR";
    if (content[i] == '\r' && (i + 1 == content.size() || content[i + 1] != '\n'))
      return "has a CR without LF";
  }
  return content.ends_with('\n') ? "" : "does not end with CRLF";
}

/// The operations that bring it into the queue as it was: who failed is owed a notice still.
std::vector<spool::Op> operations(Incoming&& incoming, QueueId id,
                                  const std::optional<spool::ContentFile>& file) {
  const auto& from = incoming.envelope;
  spool::AddMessage message{.id = id, .envelope = {}, .content = {}, .held = from.held, .file = file};
  if (!file) message.content = std::move(incoming.content);
  message.envelope.reverse_path = from.reverse_path;
  message.envelope.arrival = from.arrival;
  message.envelope.origin = from.origin;
  message.envelope.eight_bit = from.eight_bit;
  spool::RecordOutcomes failures{id, {}};
  for (const auto& recipient : from.recipients) {
    if (recipient.failed) {
      failures.outcomes.push_back(*recipient.last);
      failures.outcomes.back().recipient = static_cast<std::uint32_t>(message.envelope.recipients.size());
    }
    message.envelope.recipients.push_back(recipient.address);
  }
  std::vector<spool::Op> ops;
  ops.emplace_back(std::move(message));
  if (!failures.outcomes.empty()) ops.emplace_back(std::move(failures));
  return ops;
}

/// One run of the command.
class Import {
 public:
  Import(spool::Engine& engine, spool::Disk& disk, std::uint64_t spool, std::uint64_t max_message,
         ExportFolder& folder, bool json)
      : engine_(engine),
        disk_(disk),
        spool_(spool),
        max_message_(max_message),
        folder_(folder),
        report_("imported", json) {}

  Outcome<void> run() {
    auto done = finish_earlier();
    if (done) done = take_all();
    return report_.finish(done ? "" : done.error().text);
  }

 private:
  /// What a run that was broken off had put into the queue is there; only the files have their old names.
  Outcome<void> finish_earlier() {
    const std::string name(kJournalName);
    if (!folder_.has(name)) return {};
    const auto text = folder_.read(name, kMaxJournal);
    if (!text) return std::unexpected(text.error());
    const auto journal = parse_import_journal(*text);
    const auto path = folder_.path() + "/" + name;
    if (!journal) return failure(ExitStatus::failed, path + " " + journal.error());
    if (journal->spool != spool_) {
      return failure(ExitStatus::failed,
                     path +
                         " is of an import into another queue that was broken off; end that one first, or "
                         "remove the file if its messages shall come into both");
    }
    for (const auto& entry : journal->entries) {
      if (!engine_.was_committed(entry.id)) continue;
      if (auto renamed = mark_imported(entry.name); !renamed) return renamed;
      report_.done_earlier(entry.name, to_string(entry.id));
    }
    if (auto synced = folder_.sync(); !synced) return synced;
    return folder_.remove(name);
  }

  Outcome<void> take_all() {
    const auto names = folder_.names();
    if (!names) return std::unexpected(names.error());
    for (const auto& file : *names) {
      if (!file.ends_with(kEnvelope) || file.starts_with('.')) continue;
      const auto name = file.substr(0, file.size() - kEnvelope.size());
      auto incoming = read(name);
      if (!incoming) {
        report_.refused(name, incoming.error());
        continue;
      }
      batch_bytes_ += incoming->content.size();
      batch_.push_back(std::move(*incoming));
      if (batch_.size() < kBatch && batch_bytes_ < kBatchBytes) continue;
      if (auto done = commit_batch(); !done) return done;
    }
    return commit_batch();
  }

  /// A message that is fit for the queue, or what is wrong with it.
  [[nodiscard]] std::expected<Incoming, std::string> read(const std::string& name) const {
    if (!is_import_name(name)) return std::unexpected("the name may have letters, digits and .-_ only");
    for (const auto suffix : {kEnvelope, kContent}) {
      const auto imported = fmt::format("{}{}{}", name, suffix, kImported);
      if (folder_.has(imported)) return std::unexpected(imported + " says that it was imported already");
    }
    const auto text = folder_.read(name + std::string(kEnvelope), kMaxEnvelopeFile);
    if (!text) return std::unexpected(text.error().text);
    auto envelope = parse_envelope_file(*text);
    if (!envelope) return std::unexpected(fmt::format("{}{}: {}", name, kEnvelope, envelope.error()));
    auto content = folder_.read(name + std::string(kContent), max_message_);
    if (!content) return std::unexpected(content.error().text);
    const auto wrong = [&](std::string_view what) {
      return std::unexpected(fmt::format("{}{} {}", name, kContent, what));
    };
    if (envelope->octets && *envelope->octets != content->size()) {
      return wrong(fmt::format("has {} octets instead of {}: it is not what was exported", content->size(),
                               *envelope->octets));
    }
    if (envelope->content && *envelope->content != content_checksum(*content)) {
      return wrong("is not what was exported: its xxh3 is another one");
    }
    if (const auto fault = fault_of(*content); !fault.empty()) return wrong(fault);
    return Incoming{name, std::move(*envelope), std::move(*content)};
  }

  Outcome<void> commit_batch() {
    if (batch_.empty()) return {};
    auto ready = make_room();
    if (!ready) return failure(ExitStatus::failed, ready.error().text);
    const auto first = engine_.lease(static_cast<std::uint32_t>(batch_.size()));
    if (!first) return failure(ExitStatus::failed, first.error().text);
    ImportJournal journal{spool_, {}};
    for (const auto& one : batch_)
      journal.entries.push_back({one.name, {first->value + journal.entries.size()}});
    if (auto written = folder_.replace(std::string(kJournalName), to_text(journal)); !written) return written;
    auto done = commit(journal);
    batch_.clear();
    batch_bytes_ = 0;
    if (auto synced = folder_.sync(); !synced) return synced;
    if (done) done = folder_.remove(std::string(kJournalName));
    return done;
  }

  Outcome<void> commit(const ImportJournal& journal) {
    std::vector<spool::Op> ops;
    std::vector<std::size_t> added;  // where each message's own operation is
    std::vector<std::pair<std::string, std::size_t>> told;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      told.emplace_back(mail::to_path(batch_[i].envelope.reverse_path), batch_[i].envelope.recipients.size());
      added.push_back(ops.size());
      const auto id = journal.entries[i].id;
      const auto file = write_large(id, batch_[i].content);
      if (!file)
        return failure(ExitStatus::failed, "cannot write the content of a message: " + file.error().text);
      for (auto& op : operations(std::move(batch_[i]), id, *file)) ops.push_back(std::move(op));
    }
    const auto results = engine_.commit(ops);
    if (auto removed = remove_discarded(engine_, disk_); !removed) return removed;
    for (std::size_t i = 0; i < added.size(); ++i) {
      const auto& [name, id] = journal.entries[i];
      if (const auto& result = results[added[i]]; !result) {
        report_.refused(name, "the queue does not take it: " + printable(result.error().text));
        continue;
      }
      if (auto renamed = mark_imported(name); !renamed) return renamed;
      report_.done(name, to_string(id), told[i].first, told[i].second);
    }
    return {};
  }

  /// Content that is too large for the log; nothing where it is not.
  Result<std::optional<spool::ContentFile>> write_large(QueueId id, std::string_view content) {
    if (content.size() <= spool::kMaxInlineContent) return std::nullopt;
    if (auto may = engine_.may_take_content(content.size(), 0); !may) return fail_with(std::move(may));
    auto file = spool::write_content(disk_, id, content);
    if (!file) return fail_with(std::move(file));
    return *file;
  }

  Result<void> make_room() {
    while (engine_.stats().spares < kSparesWanted) {
      const auto more = engine_.maintain();
      if (!more) return fail_with(Result<bool>(more));
      if (!*more) break;
    }
    return engine_.may_take_messages();
  }

  /// The envelope first: without it, the content is not imported again.
  Outcome<void> mark_imported(const std::string& name) {
    for (const auto suffix : {kEnvelope, kContent}) {
      const auto file = name + std::string(suffix);
      if (!folder_.has(file)) continue;
      if (auto renamed = folder_.rename(file, file + std::string(kImported)); !renamed) return renamed;
    }
    return {};
  }

  spool::Engine& engine_;
  spool::Disk& disk_;  ///< with the content files
  std::uint64_t spool_;
  std::uint64_t max_message_;
  ExportFolder& folder_;
  TransferReport report_;
  std::vector<Incoming> batch_;
  std::size_t batch_bytes_ = 0;
};

/// Which queue this is: in the headers as soon as it has a segment.
Outcome<std::uint64_t> identity_of(const SpoolFolders& folders, spool::Engine& engine) {
  while (engine.stats().spares == 0 && engine.stats().segments == 0) {
    const auto more = engine.maintain();
    if (!more) return failure(ExitStatus::failed, folders.path() + ": " + more.error().text);
    if (!*more) break;
  }
  const auto segments = spool::find_segments(folders.disks());
  if (!segments) return failure(ExitStatus::failed, folders.path() + ": " + segments.error().text);
  for (const auto& segment : *segments) {
    if (segment.header && segment.header->spool != spool::kAnySpool) return segment.header->spool;
  }
  return failure(ExitStatus::failed,
                 folders.path() + " has no segment that can be read, and no room for one");
}

}  // namespace

Outcome<void> spool_import(const Options& options, const SpoolPlace& place, const std::string& path) {
  auto folders = SpoolFolders::open(options, place, SpoolFolders::Use::write);
  if (!folders) return std::unexpected(std::move(folders.error()));
  const auto engine = folders->open_engine();
  if (!engine) return std::unexpected(engine.error());
  auto folder = ExportFolder::open(path, ExportFolder::Missing::is_failure);
  if (!folder) return std::unexpected(std::move(folder.error()));
  const auto identity = identity_of(*folders, **engine);
  if (!identity) return std::unexpected(identity.error());
  return Import(**engine, *folders->disks().main, *identity, folders->options().max_message_bytes, *folder,
                options.json)
      .run();
}

}  // namespace sternpost::tool
