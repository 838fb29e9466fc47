// Threads. The parts of a job are taken by the caller and by helpers, which sleep while there is nothing to do.
#pragma once
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace tunebook {

/**
 * While one lives, numbers too small to be normal are 0 in this thread, whoever's it is: they cost some processors a hundred
 * cycles each, and results must not depend on which thread made them.
 */
class FlushTiny {
 public:
#if defined(__SSE__)
  FlushTiny() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushTiny() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushTiny() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    __asm__ volatile("msr fpcr, %0" : : "r"(before_ | (1u << 24)));
  }
  ~FlushTiny() { __asm__ volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  uint64_t before_;
#endif
};

/** Processors that a control group grants this process, or 0 where it does not say. */
inline int Granted() {
  double quota = -1, period = 0;
  if (FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(file, "%lf %lf", &quota, &period) != 2) quota = -1;
    std::fclose(file);
  } else {
    const char* names[] = {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"};
    double* values[] = {&quota, &period};
    for (int i = 0; i < 2; i++)
      if (FILE* file = std::fopen(names[i], "r")) {
        if (std::fscanf(file, "%lf", values[i]) != 1) quota = -1;
        std::fclose(file);
      }
  }
  return quota > 0 && period > 0 ? std::max(1, static_cast<int>(quota / period + 0.5)) : 0;
}

/** Threads to work on: those that may run here, or as many as TensorFlow is told to use. */
inline int Threads() {
  constexpr int kMost = 32;
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(std::thread::hardware_concurrency());
  if (const int granted = Granted()) count = std::min(count, granted);
  const char* told = std::getenv("TF_NUM_INTRAOP_THREADS");
  if (told && std::atoi(told) > 0) count = std::min(count, std::atoi(told));
  return std::max(1, std::min(count, kMost));
}

/** Calls `ready` again and again for about so many microseconds; whether it became true. */
template <typename Ready>
inline bool Spin(int microseconds, const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  do {
    for (int i = 0; i < 32; i++) {
      if (ready()) return true;
#if defined(__SSE__)
      _mm_pause();
#elif defined(__aarch64__)
      __asm__ volatile("yield");
#endif
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

class Pool {
 public:
  /** Never freed: helpers sleep in it until the process ends. */
  static Pool& The() {
    static Pool* pool = new Pool;
    return *pool;
  }

  int size() const { return size_; }

  /** work(part, slot) for every part, some on other threads. A slot below size() belongs to one thread while this runs. */
  template <typename Work>
  void Run(int64_t parts, const Work& work) {
    Job job([](const void* work, int64_t part, int slot) { (*static_cast<const Work*>(work))(part, slot); }, &work, parts);
    if (parts <= 1 || size_ == 1) return Take(job, 0);
    int64_t wake;
    {
      const auto lock = Lock();
      jobs_.push_back(&job);
      given_.fetch_add(1, std::memory_order_release);
      wake = std::min<int64_t>(parts - 1, sleeping_);
    }
    for (; wake > 0; wake--) wake_.notify_one();
    Take(job, 0);
    // All parts are taken. Nobody may hold the job when it goes out of scope.
    {
      const auto lock = Lock();
      jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    }
    const auto over = [&job] { return job.holders.load(std::memory_order_acquire) == 0; };
    if (Spin(kPatience, over)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_++;
    done_.wait(lock, over);
    waiting_--;
  }

 private:
  /**
   * Microseconds that a helper looks for the next job, and a caller for the last part, before it sleeps: waking up takes as long, and
   * on a busy machine until others have had their turn.
   */
  static constexpr int kPatience = 100;

  struct Job {
    void (*call)(const void*, int64_t, int);
    const void* work;
    int64_t parts;
    std::atomic<int64_t> next{0};
    /** Helpers that work on it; grows with the mutex held. */
    std::atomic<int> holders{0};
    Job(void (*c)(const void*, int64_t, int), const void* w, int64_t p) : call(c), work(w), parts(p) {}
  };

  Pool() : size_(Threads()) {
    jobs_.reserve(64);
    for (int slot = 1; slot < size_; slot++) {
      try {
        std::thread([this, slot] { Help(slot); }).detach();
      } catch (const std::system_error&) {
        // The system grants no more threads: fewer helpers, or none, do the same work.
        break;
      }
    }
  }

  /** The mutex is held for moments only: to sleep for it would take longer. */
  std::unique_lock<std::mutex> Lock() {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() && !Spin(kPatience, [&lock] { return lock.try_lock(); })) lock.lock();
    return lock;
  }

  static void Take(Job& job, int slot) {
    const FlushTiny flush;
    for (int64_t part; (part = job.next.fetch_add(1, std::memory_order_relaxed)) < job.parts;) job.call(job.work, part, slot);
  }

  Job* Open() {
    for (Job* job : jobs_)
      if (job->next.load(std::memory_order_relaxed) < job->parts) return job;
    return nullptr;
  }

  [[noreturn]] void Help(int slot) {
    for (;;) {
      auto lock = Lock();
      Job* job = Open();
      if (!job) {
        const uint64_t known = given_.load(std::memory_order_relaxed);
        lock.unlock();
        if (Spin(kPatience, [&] { return given_.load(std::memory_order_acquire) != known; })) continue;
        lock.lock();
        sleeping_++;
        wake_.wait(lock, [&] { return (job = Open()) != nullptr; });
        sleeping_--;
      }
      job->holders.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      Take(*job, slot);
      // The job may be gone as soon as nobody holds it.
      if (job->holders.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
      lock = Lock();
      if (waiting_ > 0) done_.notify_all();
    }
  }

  const int size_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<Job*> jobs_;
  /** Jobs so far. */
  std::atomic<uint64_t> given_{0};
  /** Helpers that sleep, and callers: changed with the mutex held. */
  int sleeping_ = 0, waiting_ = 0;
};

/** work(first, last) over ranges of rows, as many ranges as are worth a thread. */
template <typename Work>
void ByRows(int64_t rows, int64_t width, const Work& work) {
  constexpr int64_t kWorthAThread = 1 << 15;
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>({Pool::The().size(), rows, rows * width / kWorthAThread}));
  Pool::The().Run(parts, [&](int64_t part, int) { work(rows * part / parts, rows * (part + 1) / parts); });
}

}  // namespace tunebook
