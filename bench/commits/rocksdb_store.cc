// RocksDB with synced writes. Producers call it themselves, so that its own group commit works; a group comes
// as one WriteBatch.

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <array>

#include "store.h"

namespace sternpost::bench {
namespace {

void must(const rocksdb::Status& status) {
  if (!status.ok()) die(status.ToString());
}

/// Big-endian, so that keys rise as numbers do.
std::array<char, 8> key_of(std::uint64_t number) {
  std::array<char, 8> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key.at(i) = static_cast<char>(number >> (56 - 8 * i));
  return key;
}

/// Its better mode here, of those that were tried: logs are written over instead of growing, nothing is
/// compressed, and what is in memory goes to tables while other messages are taken.
rocksdb::Options options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.recycle_log_file_num = 4;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.max_write_buffer_number = 4;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

class RocksdbStore : public Store {
 public:
  explicit RocksdbStore(const Site& site) {
    rocksdb::DB* database = nullptr;
    must(rocksdb::DB::Open(options(), site.folder / "db", &database));
    database_.reset(database);
    synced_.sync = true;
  }

  void commit(std::uint64_t first, std::size_t count) override {
    rocksdb::WriteBatch batch(count * (kMessageBytes + 32));
    for (auto number = first; number < first + count; ++number) {
      const auto key = key_of(number);
      must(batch.Put(rocksdb::Slice(key.data(), key.size()), content()));
    }
    must(database_->Write(synced_, &batch));
  }

  bool is_shared() const override { return true; }

  void clear() override {
    const std::string last(8, '\xff');
    must(database_->DeleteRange({}, database_->DefaultColumnFamily(), std::string(8, '\0'), last));
    must(database_->Flush({}));
    must(database_->CompactRange({}, nullptr, nullptr));
  }

 private:
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::WriteOptions synced_;
};

}  // namespace

std::unique_ptr<Store> make_rocksdb_store(const Site& site) {
  return std::make_unique<RocksdbStore>(site);
}

}  // namespace sternpost::bench
