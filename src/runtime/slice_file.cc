#include "runtime/slice_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sternpost {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

Result<UniqueFd> make_slice_file(std::string_view bytes) {
  UniqueFd fd(::memfd_create("slice", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("creating a slice");
  for (std::size_t done = 0; done < bytes.size();) {
    const auto written =
        ::pwrite(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("writing a slice");
    done += static_cast<std::size_t>(written);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return fail_errno("sealing a slice");
  return fd;
}

Result<std::string> read_slice_file(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals)  // an ordinary file has none to tell
    return fail(ErrorClass::peer, "a slice that is not sealed");
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail_errno("examining a slice");
  if (static_cast<std::uint64_t>(status.st_size) > kMaxSliceBytes) {
    return fail(ErrorClass::peer, "a slice of " + std::to_string(status.st_size) + " bytes");
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const auto got = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("reading a slice");
    if (got == 0) return fail(ErrorClass::peer, "a slice cut short");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace sternpost
