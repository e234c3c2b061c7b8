#include "tool/spool_folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "config/make_slices.h"
#include "spool/log_walk.h"
#include "spool/overlay_disk.h"
#include "tool/configuration.h"

namespace sternpost::tool {
namespace {

/// Where no configuration says it: more than smtp.max_message may be.
constexpr std::uint64_t kLargestMessage = 1025ULL << 20U;
constexpr uid_t kNobodyElse = ~0U;  ///< no uid: asks for the one in force

/// While it lives, root reaches files as this user would, and makes them for him.
class ActingAs {
 public:
  ActingAs(uid_t uid, gid_t gid) {
    ::setfsgid(gid);
    ::setfsuid(uid);
    works_ = ::setfsuid(kNobodyElse) == static_cast<int>(uid);
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs() {
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
  }
  [[nodiscard]] bool works() const { return works_; }

 private:
  bool works_ = false;
};

/// The queue's compartment is not trusted, so root opens what it left there with no more rights than it has.
class OwnersDisk : public spool::Disk {
 public:
  OwnersDisk(spool::Disk& below, uid_t uid, gid_t gid) : below_(below), uid_(uid), gid_(gid) {}

  Result<std::vector<std::string>> list() override {
    const ActingAs owner(uid_, gid_);
    if (!owner.works()) return cannot_act();
    return below_.list();
  }
  Result<std::unique_ptr<spool::DiskFile>> open(const std::string& name) override {
    const ActingAs owner(uid_, gid_);
    if (!owner.works()) return cannot_act();
    return below_.open(name);
  }
  Result<std::unique_ptr<spool::DiskFile>> open_existing(const std::string& name) override {
    const ActingAs owner(uid_, gid_);
    if (!owner.works()) return cannot_act();
    return below_.open_existing(name);
  }
  Result<std::unique_ptr<spool::DiskFile>> create(const std::string& name) override {
    const ActingAs owner(uid_, gid_);
    if (!owner.works()) return cannot_act();
    return below_.create(name);
  }
  Result<void> remove(const std::string& name) override {
    const ActingAs owner(uid_, gid_);
    if (!owner.works()) return cannot_act();
    return below_.remove(name);
  }
  Result<void> sync_directory() override { return below_.sync_directory(); }
  Result<std::uint64_t> free_bytes() override { return below_.free_bytes(); }

 private:
  [[nodiscard]] std::unexpected<Error> cannot_act() const {
    return fail(ErrorClass::internal, fmt::format("cannot open files as their owner, uid {}", uid_), EPERM);
  }

  spool::Disk& below_;
  uid_t uid_;
  gid_t gid_;
};

std::unexpected<Failure> errno_failure(std::string_view what, const std::string& path) {
  return failure(ExitStatus::failed, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

/// Every segment is an open file.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // with what there was, a smaller spool can be opened
}

Outcome<void> lock(int fd, const std::string& path, const std::string& user_hint, SpoolFolders::Use use) {
  const int how = use == SpoolFolders::Use::write ? LOCK_EX : LOCK_SH;
  if (::flock(fd, how | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return errno_failure("lock", path);
  return failure(ExitStatus::failed,
                 fmt::format("the queue in {} is in use; stop {} first, or wait for the end of another "
                             "`sternpost spool` command",
                             path, user_hint));
}

}  // namespace

Outcome<SpoolFolders::Volume> SpoolFolders::open_volume(const std::string& path, const std::string& user_hint,
                                                        Use use) {
  Volume volume;
  volume.path = path;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    return failure(ExitStatus::failed, path + " does not exist: the first start of the server makes it");
  }
  if (!fd && errno == EACCES) {
    return failure(ExitStatus::failed,
                   "you may not open " + path + ": be root, or the user who starts the server");
  }
  if (!fd) return errno_failure("open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_failure("examine", path);
  if (auto locked = lock(fd.get(), path, user_hint, use); !locked) return std::unexpected(locked.error());
  volume.lock.reset(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!volume.lock) return errno_failure("open", path);
  const auto access = use == Use::read ? spool::PosixDisk::Access::read : spool::PosixDisk::Access::write;
  volume.real = std::make_unique<spool::PosixDisk>(std::move(fd), access);
  volume.disk = volume.real.get();
  if (::geteuid() == 0 && status.st_uid != 0) {
    volume.as_owner = std::make_unique<OwnersDisk>(*volume.disk, status.st_uid, status.st_gid);
    volume.disk = volume.as_owner.get();
  }
  if (use == Use::read) {
    volume.overlay = std::make_unique<spool::OverlayDisk>(*volume.disk);
    volume.disk = volume.overlay.get();
  }
  return volume;
}

Outcome<void> SpoolFolders::take_options_from_segments() {
  const auto segments = spool::find_segments(disks());
  if (!segments) return failure(ExitStatus::failed, path() + ": " + segments.error().text);
  if (segments->empty()) {
    return failure(ExitStatus::failed, path() + " has no file segment-NNNN: it is not the folder of a queue");
  }
  std::uint64_t generation = 0;
  for (const auto& segment : *segments) {
    if (!segment.header || segment.header->generation < generation) continue;
    if (segment.header->segment_bytes == spool::kBlock) continue;  // emptied by a repair
    generation = segment.header->generation;
    options_.segment_bytes = segment.header->segment_bytes;
  }
  options_.max_message_bytes = kLargestMessage;
  options_.max_spool_bytes = options_.segment_bytes * spool::kMaxSegments;
  return {};
}

Outcome<SpoolFolders> SpoolFolders::open(const Options& options, const SpoolPlace& place, Use use) {
  std::vector<std::string> paths;
  std::string user_hint = "the server that uses it (sternpost stop)";
  SpoolFolders folders;
  if (place.directory.empty()) {
    const auto values = load_configuration(options);
    if (!values) return failure(ExitStatus::usage, joined(values.error()));
    const auto slices = config::make_slices(*values);
    const auto& state = slices.master.state_directory;
    user_hint = fmt::format("the server (sternpost stop --state {})", state);
    paths.push_back(state + "/spool");
    if (slices.spool.own_deferred_folder) paths.push_back(slices.master.deferred_directory);
    folders.options_ = {.segment_bytes = slices.spool.segment_bytes,
                        .spare_segments = slices.spool.spare_segments,
                        .max_message_bytes = slices.spool.max_message_bytes,
                        .max_spool_bytes = slices.spool.max_spool_bytes,
                        .min_free_bytes = slices.spool.min_free_bytes};
  } else {
    paths.push_back(absolute_path(place.directory));
    const auto deferred = absolute_path(place.deferred_directory);
    if (!deferred.empty() && deferred != paths.front()) paths.push_back(deferred);
  }
  raise_descriptor_limit();
  for (const auto& path : paths) {
    auto volume = open_volume(path, user_hint, use);
    if (!volume) return std::unexpected(std::move(volume.error()));
    folders.volumes_.push_back(std::move(*volume));
  }
  if (!place.directory.empty()) {
    if (auto taken = folders.take_options_from_segments(); !taken) return std::unexpected(taken.error());
  }
  if (::getrandom(&folders.options_.salt, sizeof(folders.options_.salt), 0) !=
      sizeof(folders.options_.salt)) {
    return failure(ExitStatus::failed, "cannot get random bytes");
  }
  return folders;
}

Outcome<std::unique_ptr<spool::Engine>> SpoolFolders::open_engine(spool::CheckpointUse use) {
  auto engine = spool::Engine::open(disks(), *clock_, options_, use);
  if (!engine) return failure(ExitStatus::failed, path() + ": " + engine.error().text);
  return std::move(*engine);
}

}  // namespace sternpost::tool
