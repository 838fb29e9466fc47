/** What a prebuilt library asks about: it runs on one system, processor and C library. */
export interface Machine {
  platform: string;
  arch: string;
  /** Version of glibc; undefined on other C libraries (Alpine's musl) and other systems. */
  glibc?: string;
}

let asked: Machine | undefined;

/** This machine. */
export function thisMachine(): Machine {
  if (asked) return asked;
  let glibc: string | undefined;
  if (process.platform === 'linux' && process.report) {
    const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
    // The report would look up the names of open connections, which can take seconds.
    const before = report.excludeNetwork;
    report.excludeNetwork = true;
    glibc = (report.getReport() as { header?: { glibcVersionRuntime?: string } }).header?.glibcVersionRuntime;
    report.excludeNetwork = before;
  }
  asked = { platform: process.platform, arch: process.arch, glibc };
  return asked;
}
