#include "tool/evidence.h"

#include <algorithm>
#include <string_view>

#include "spool/lost_blocks.h"
#include "spool/segment.h"

namespace sternpost::tool {
namespace {

constexpr std::size_t kPiece = 1UL << 20U;

/// Reads a file from its beginning to its end; what the disk does not give back becomes zeroes.
class Copying {
 public:
  Copying(spool::DiskFile& file, KeptFile& kept) : file_(file), kept_(kept) {}

  Outcome<std::string_view> next() {
    piece_.assign(std::min<std::uint64_t>(kPiece, kept_.octets - at_), '\0');
    const auto lost = spool::read_blocks(file_, at_, piece_);
    if (!lost) return failure(ExitStatus::failed, "cannot copy " + kept_.name + ": " + lost.error().text);
    at_ += piece_.size();
    for (const auto block : *lost) kept_.unreadable.emplace_back(block, std::min(spool::kBlock, at_ - block));
    return piece_;
  }

 private:
  spool::DiskFile& file_;
  KeptFile& kept_;
  std::string piece_;
  std::uint64_t at_ = 0;
};

}  // namespace

Outcome<ExportFolder> open_evidence(const std::string& path) {
  auto folder = ExportFolder::open(path, ExportFolder::Missing::is_made);
  if (!folder) return folder;
  const auto names = folder->names();
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return folder;
  return failure(ExitStatus::usage, folder->path() + " is not empty: name a new folder with --keep");
}

Outcome<KeptFile> keep(spool::Disk& disk, const std::string& name, ExportFolder& folder) {
  const auto cannot = [&](const Error& error) {
    return failure(ExitStatus::failed, "cannot copy " + name + ": " + error.text);
  };
  const auto file = disk.open_existing(name);
  if (!file) return cannot(file.error());
  const auto size = (*file)->size();
  if (!size) return cannot(size.error());
  KeptFile kept{name, *size, {}};
  Copying copying(**file, kept);
  if (auto added = folder.add_pieces(name, [&] { return copying.next(); }); !added) {
    return std::unexpected(std::move(added.error()));
  }
  return kept;
}

}  // namespace sternpost::tool
