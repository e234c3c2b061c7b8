#include "spool/content_file.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sternpost::spool {
namespace {

constexpr std::string_view kNamePrefix = "content-";

std::unexpected<Error> damaged(QueueId id, std::string_view how) {
  return fail(ErrorClass::permanent, content_name(id) + " " + std::string(how));
}

/// Whether opening says that nothing is there, or nothing that could be a content file.
bool is_absence(const Error& error) {
  return error.errno_value == ENOENT || error.errno_value == ELOOP || error.errno_value == EISDIR;
}

Result<std::unique_ptr<DiskFile>> open_content(Disk& disk, QueueId id) {
  auto opened = disk.open_existing(content_name(id));
  if (!opened && is_absence(opened.error())) return damaged(id, "is missing");
  return opened;
}

}  // namespace

std::string content_name(QueueId id) {
  return std::string(kNamePrefix) + to_string(id);
}

std::optional<QueueId> parse_content_name(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return {};
  return parse_queue_id(name.substr(kNamePrefix.size()));
}

Result<ContentWriter> ContentWriter::create(Disk& disk, QueueId id) {
  auto file = disk.create(content_name(id));
  if (!file) return fail_with(std::move(file));
  return ContentWriter(std::move(*file));
}

Result<void> ContentWriter::append(std::string_view bytes) {
  if (auto written = file_->write(bytes_, bytes); !written) return written;
  checksum_.add(bytes);
  bytes_ += bytes.size();
  return {};
}

Result<ContentFile> ContentWriter::finish() {
  if (auto synced = file_->sync(); !synced) return fail_with(std::move(synced));
  return ContentFile{bytes_, checksum_.value()};
}

Result<ContentFile> write_content(Disk& disk, QueueId id, std::string_view content) {
  auto writer = ContentWriter::create(disk, id);
  if (!writer) return fail_with(std::move(writer));
  auto written = writer->append(content);
  auto file = written ? writer->finish() : fail_with(std::move(written));
  if (file) {
    auto named = disk.sync_directory();
    if (named) return file;
    file = fail_with(std::move(named));
  }
  std::ignore = remove_content(disk, id);
  return file;
}

Result<void> remove_content(Disk& disk, QueueId id) {
  return disk.remove(content_name(id));
}

Result<void> read_content(Disk& disk, QueueId id, const ContentFile& file, const ContentSink& sink) {
  const auto opened = open_content(disk, id);
  if (!opened) return std::unexpected(opened.error());
  RunningChecksum checksum(kContentSeed);
  std::string piece(std::min<std::uint64_t>(kContentStep - 1, file.bytes) + 1, '\0');
  std::uint64_t at = 0;
  for (;;) {
    const auto read = (*opened)->read(at, piece);
    if (!read) return std::unexpected(read.error());
    const auto bytes = std::string_view(piece).substr(0, *read);
    at += bytes.size();
    if (at > file.bytes) return damaged(id, "is longer than what was written");
    checksum.add(bytes);
    if (bytes.size() < piece.size() && at < file.bytes)
      return damaged(id, "is shorter than what was written");
    if (!bytes.empty()) {
      if (auto taken = sink(bytes); !taken) return taken;
    }
    if (bytes.size() < piece.size()) break;
  }
  if (checksum.value() != file.checksum) return damaged(id, "is damaged");
  return {};
}

Result<std::string> read_beginning(Disk& disk, QueueId id, const ContentFile& file, std::size_t bytes) {
  const auto opened = open_content(disk, id);
  if (!opened) return std::unexpected(opened.error());
  const auto size = (*opened)->size();
  if (!size) return std::unexpected(size.error());
  std::string beginning(std::min<std::uint64_t>(bytes, file.bytes), '\0');
  const auto read = (*opened)->read(0, beginning);
  if (!read) return std::unexpected(read.error());
  if (*size != file.bytes || *read < beginning.size())
    return damaged(id, "is of another length than what was written");
  return beginning;
}

Result<std::string> keep_content(Disk& disk, QueueId id, std::uint64_t bytes) {
  const auto file = read_patiently([&] { return disk.open_existing(content_name(id)); });
  if (!file && is_absence(file.error())) return "the content file is missing";
  if (!file && is_unreadable(file.error())) return "the disk does not open the content file";
  if (!file) return std::unexpected(file.error());
  if (auto synced = (*file)->sync(); !synced) return fail_with(std::move(synced));
  const auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  if (*size == bytes) return "";
  return "the content file has " + std::to_string(*size) + " octets instead of " + std::to_string(bytes);
}

}  // namespace sternpost::spool
