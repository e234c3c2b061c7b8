// What the benchmark asks of a store: messages made durable, in groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace sternpost::bench {

inline constexpr std::size_t kMessageBytes = 4096;

class Store {
 public:
  virtual ~Store() = default;

  /// Makes messages `first` to `first + count - 1` durable, together. Numbers rise from 0 after clear().
  virtual void commit(std::uint64_t first, std::size_t count) = 0;
  /// Whether producers commit for themselves, several at once, and it gains by that.
  [[nodiscard]] virtual bool is_shared() const { return false; }
  /// Whether commit() leaves its group to a thread, and the next call waits for it.
  [[nodiscard]] virtual bool syncs_behind() const { return false; }
  /// By the store, where it counts that.
  [[nodiscard]] virtual std::uint64_t bytes_written() const { return 0; }
  /// Forgets all messages, so that there is room for the next run. Not timed.
  virtual void clear() = 0;
};

/// Where a store works, and for how many messages there must be room until clear().
struct Site {
  std::filesystem::path folder;
  std::uint64_t room = 0;
};

std::unique_ptr<Store> make_engine_store(const Site& site);
/// The same over other ways to write (disk_variants.h).
std::unique_ptr<Store> make_direct_engine_store(const Site& site);
std::unique_ptr<Store> make_threaded_engine_store(const Site& site);
std::unique_ptr<Store> make_threaded_direct_engine_store(const Site& site);
/// The engine under a load that makes it move half of each segment, and the same load without that.
std::unique_ptr<Store> make_moving_store(const Site& site);
std::unique_ptr<Store> make_resting_store(const Site& site);
std::unique_ptr<Store> make_file_store(const Site& site);
std::unique_ptr<Store> make_raw_store(const Site& site);
std::unique_ptr<Store> make_rocksdb_store(const Site& site);
std::unique_ptr<Store> make_sqlite_store(const Site& site);

/// The content of every message.
const std::string& content();

/// Nothing can be measured any more.
[[noreturn]] void die(std::string_view what);

}  // namespace sternpost::bench
