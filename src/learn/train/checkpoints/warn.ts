/** Say what went wrong without ending anything: on stderr, or to whoever listens to the 'warning' event of the process. */
export function warn(message: string): void {
  process.emitWarning(message, { type: 'TunebookWarning' });
}
