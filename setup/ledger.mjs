// What a test run cost, what it skipped and why, and the closing line that CI reads.

const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;

const indented = (text = '') =>
  text
    .split('\n')
    .map(line => (line ? `\n        ${line}` : ''))
    .join('');

/** Print the ledger of `parts` ({ title, seconds, passed, failed, files }) and the closing line; returns the number that failed. */
export function printLedger(parts) {
  const sum = key => parts.reduce((total, part) => total + part[key], 0);
  console.log('\n── ledger');
  for (const { title, seconds, passed, failed } of parts) {
    const counts = passed + failed ? `${passed} passed${failed ? `, ${failed} FAILED` : ''}` : '';
    console.log(`  ${clock(seconds).padStart(6)}  ${title.padEnd(24)} ${counts}`);
  }
  console.log(`  ${clock(sum('seconds')).padStart(6)}  in all`);

  const files = parts.flatMap(part => part.files.map(file => ({ ...file, part: part.title })));
  if (files.length) console.log('\n  slowest files');
  for (const { file, seconds, part } of files.sort((a, b) => b.seconds - a.seconds).slice(0, 15)) {
    console.log(`  ${`${seconds.toFixed(1)} s`.padStart(8)}  ${file} (${part.replace('tests on ', '')})`);
  }

  const skipped = files.flatMap(({ file, part, tests }) =>
    tests.filter(test => test.state === 'skipped').map(test => ({ ...test, file, part })),
  );
  if (skipped.length) console.log('\n  skipped');
  for (const { file, name, note, part } of skipped) {
    console.log(`    ${file} (${part.replace('tests on ', '')}): ${name}${note ? `: ${note}` : ''}`);
  }

  const unsteady = files.flatMap(({ file, part, unsteady, tests }) => [
    ...(unsteady ? [`${file} (${part}): the file could not be loaded${indented(unsteady)}`] : []),
    ...tests.filter(test => test.unsteady).map(test => `${file} (${part}): ${test.name}${indented(test.unsteady)}`),
  ]);
  if (unsteady.length) console.log('\n  failed in the first run and passed when run again, alone');
  for (const line of unsteady) console.log(`    ${line}`);

  const wrong = files.flatMap(({ file, part, broken, error, tests }) => [
    ...(broken ? [`${file} (${part}): the file could not be loaded${indented(error)}`] : []),
    ...tests.filter(test => test.state === 'failed').map(test => `${file} (${part}): ${test.name}${indented(test.error)}`),
  ]);
  for (const { title, failed, files } of parts) if (failed && !files.length) wrong.push(title);
  if (wrong.length) console.log('\n  failed');
  for (const line of wrong) console.log(`    ${line}`);

  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped.length ? `, ${skipped.length} skipped` : ''}`);
  return sum('failed');
}
