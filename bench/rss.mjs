import { readFileSync, writeFileSync } from 'node:fs';

/** Start to watch this process's memory; what is returned tells by how many bytes its peak has grown since. */
export function peakGrowth() {
  const status = () => {
    try {
      const text = readFileSync('/proc/self/status', 'utf8');
      const of = name => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)[1]) * 1024;
      return { now: of('VmRSS'), peak: of('VmHWM') };
    } catch {
      return { now: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 };
    }
  };
  try {
    // Linux: forget the peak so far.
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Elsewhere a peak from before counts.
  }
  const { now } = status();
  return () => status().peak - now;
}
