#include "faults/recording_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>
#include <optional>

namespace freshet {

namespace {

constexpr std::size_t kSector = 512;
using Kind = DiskOperation::Kind;

struct Log {
  std::mutex mutex;
  std::vector<DiskOperation> operations;
  sqlite3_vfs* real = nullptr;
  sqlite3_vfs vfs{};
};

Log& the_log() {
  static Log log;
  return log;
}

void record(Kind kind, const std::string& file, std::uint64_t offset = 0, std::string bytes = "") {
  const std::lock_guard lock(the_log().mutex);
  the_log().operations.push_back({kind, file, offset, std::move(bytes)});
}

/// SQLite allocates it with the real file behind it.
struct RecordedFile {
  sqlite3_file base;
  std::string* name;  ///< null: not recorded
};

RecordedFile* recorded(sqlite3_file* file) { return reinterpret_cast<RecordedFile*>(file); }
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(recorded(file) + 1);
}

int close(sqlite3_file* file) {
  const int result = real(file)->pMethods->xClose(real(file));
  delete recorded(file)->name;
  recorded(file)->name = nullptr;
  return result;
}
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const std::string* name = recorded(f)->name) {
    record(Kind::write, *name, static_cast<std::uint64_t>(at),
           std::string(static_cast<const char*>(from), static_cast<std::size_t>(n)));
  }
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (const std::string* name = recorded(f)->name) {
    record(Kind::truncate, *name, static_cast<std::uint64_t>(size));
  }
  return real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
  const int result = real(f)->pMethods->xSync(real(f), flags);
  if (const std::string* name = recorded(f)->name) record(Kind::sync, *name);
  return result;
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
int lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
int unlock(sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
int is_reserved(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int what, void* with) {
  return real(f)->pMethods->xFileControl(real(f), what, with);
}
int sector_size(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int traits(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** to) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, to);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

// Version 2: no memory-mapped reads and writes, which would pass it by.
const sqlite3_io_methods kMethods = {2,           close,       read,    write,   truncate,
                                     sync,        file_size,   lock,    unlock,  is_reserved,
                                     control,     sector_size, traits,  shm_map, shm_lock,
                                     shm_barrier, shm_unmap,   nullptr, nullptr};

std::string name_of(const char* path) { return std::filesystem::path(path).filename().string(); }

int open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  constexpr int kKept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  recorded(file)->base.pMethods = nullptr;
  recorded(file)->name = nullptr;
  const int result = the_log().real->xOpen(the_log().real, path, real(file), flags, out_flags);
  if (result != SQLITE_OK) return result;
  if (path != nullptr && (flags & kKept) != 0)
    recorded(file)->name = new std::string(name_of(path));
  recorded(file)->base.pMethods = &kMethods;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* path, int sync_folder) {
  const int result = the_log().real->xDelete(the_log().real, path, sync_folder);
  if (result == SQLITE_OK) {
    record(sync_folder != 0 ? Kind::remove_durably : Kind::remove, name_of(path));
  }
  return result;
}

}  // namespace

Recording::Recording() {
  Log& log = the_log();
  log.operations.clear();
  log.real = sqlite3_vfs_find(nullptr);
  log.vfs = *log.real;
  log.vfs.pNext = nullptr;
  log.vfs.zName = "recording";
  log.vfs.szOsFile = static_cast<int>(sizeof(RecordedFile)) + log.real->szOsFile;
  log.vfs.xOpen = open;
  log.vfs.xDelete = remove;
  sqlite3_vfs_register(&log.vfs, 1);
}

Recording::~Recording() {
  sqlite3_vfs_unregister(&the_log().vfs);
  sqlite3_vfs_register(the_log().real, 1);
}

std::size_t Recording::count() {
  const std::lock_guard lock(the_log().mutex);
  return the_log().operations.size();
}

std::vector<DiskOperation> Recording::operations() {
  const std::lock_guard lock(the_log().mutex);
  return the_log().operations;
}

namespace {

void put(std::string& bytes, std::uint64_t offset, std::string_view from) {
  if (bytes.size() < offset + from.size()) bytes.resize(offset + from.size(), '\0');
  bytes.replace(offset, from.size(), from);
}

void put_all(std::string& bytes, const DiskOperation& operation) {
  if (operation.kind == Kind::truncate) {
    bytes.resize(operation.offset, '\0');
  } else {
    put(bytes, operation.offset, operation.bytes);
  }
}

/// Of each sector that is written, the old or the new.
void put_torn(std::string& bytes, const DiskOperation& operation, KeyedGenerator& draw) {
  for (std::uint64_t at = 0; at < operation.bytes.size();) {
    const std::uint64_t place = operation.offset + at;
    const std::uint64_t length =
        std::min<std::uint64_t>(kSector - place % kSector, operation.bytes.size() - at);
    if (draw.below(2) == 0) put(bytes, place, std::string_view(operation.bytes).substr(at, length));
    at += length;
  }
}

}  // namespace

void Disk::apply(const DiskOperation& operation) {
  File& file = files_[operation.file];
  switch (operation.kind) {
    case Kind::write:
    case Kind::truncate:
    case Kind::remove:
      // A name is taken anew only after the old one is gone.
      if (!file.pending.empty() && file.pending.back().kind == Kind::remove) file = {};
      file.pending.push_back(operation);
      break;
    case Kind::sync:
      for (const DiskOperation& pending : file.pending) put_all(file.durable, pending);
      file.pending.clear();
      if (!file.named) sync_folder();  // as SQLite does with the first sync of a new file
      file.named = true;
      break;
    case Kind::remove_durably:
      file = {};
      sync_folder();
      break;
  }
}

void Disk::sync_folder() {
  for (auto& [name, file] : files_) {
    if (file.pending.empty()) continue;
    if (file.pending.back().kind == Kind::remove) {
      file = {};
    } else {
      file.named = true;
    }
  }
}

void Disk::cut_power(Survivor survivor, KeyedGenerator& draw, const std::string& folder) const {
  for (const auto& [name, file] : files_) {
    std::string bytes = file.durable;
    bool named = file.named;
    for (const DiskOperation& operation : file.pending) {
      const bool survives =
          survivor == Survivor::all || (survivor != Survivor::none && draw.below(2) == 0);
      if (operation.kind == Kind::remove) {
        if (survives) named = false;
        continue;
      }
      if (survives) named = true;
      if (survivor == Survivor::torn && operation.kind == Kind::write) {
        put_torn(bytes, operation, draw);
      } else if (survives) {
        put_all(bytes, operation);
      }
    }
    if (!named) continue;
    std::ofstream(folder + "/" + name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace freshet
