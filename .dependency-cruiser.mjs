// The import table of the house (DESIGN.md) as rules for dependency-cruiser: `npx depcruise src`, and tests/house/import-table.test.ts.

/** Rooms by floor. `same` is what a room may import from its own floor, `below` from the floors under it ('*': every room there). */
export const ROOMS = {
  'base/core': { same: [], below: [] },
  'base/text': { same: ['base/core'], below: [] },
  'base/backend': { same: ['base/core'], below: [] },
  'base/ops': { same: ['base/core', 'base/backend'], below: [] },
  'base/remote': { same: ['base/core'], below: [] },
  // No tfjs, no model: this floor runs in a browser page.
  'prepare/data': { same: [], below: ['base/core', 'base/text'] },
  'prepare/tasks': { same: ['prepare/data'], below: ['base/core', 'base/text'] },
  'prepare/templates': { same: ['prepare/data'], below: ['base/core', 'base/text'] },
  'prepare/tokens': { same: ['prepare/data', 'prepare/templates'], below: ['base/core', 'base/text'] },
  'prepare/synthesize': { same: ['prepare/data', 'prepare/templates'], below: ['base/core', 'base/text'] },
  'learn/models': { same: [], below: ['*'] },
  'learn/train': { same: ['learn/models'], below: ['*'] },
  'learn/align': { same: ['learn/models', 'learn/train'], below: ['*'] },
  'study/evaluate': { same: [], below: ['*'] },
  'study/forgetting': { same: ['study/evaluate'], below: ['*'] },
  'study/experiment': { same: [], below: ['base/core', 'prepare/data'] },
  show: { same: [], below: ['base/core', 'base/text'] },
  kernel: { same: [], below: ['base/core'] },
  cli: { same: [], below: ['*', 'show', 'kernel'] },
};

const FLOORS = ['base', 'prepare', 'learn', 'study', 'cli'];
const floorOf = room => room.split('/')[0];

/** The rooms that `room` may import from. */
export function mayImport(room) {
  const { same, below } = ROOMS[room];
  const under = FLOORS.slice(0, FLOORS.indexOf(floorOf(room)));
  const all = Object.keys(ROOMS).filter(other => under.includes(floorOf(other)));
  return [...same, ...below.flatMap(name => (name === '*' ? all : [name]))];
}

const rooms = Object.keys(ROOMS);
const any = names => `(?:${names.join('|')})`;

const table = rooms.map(room => ({
  name: `room ${room}`,
  comment: `${room} may import from ${mayImport(room).join(', ') || 'no other room'}.`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/${any([room, ...mayImport(room)])}/` },
}));

export default {
  forbidden: [
    ...table,
    {
      name: 'every file in a room',
      comment: 'A file of src lies in a room of the table; src/index.ts is the door of the house.',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(?:${any(rooms)}/|index\\.ts$)` },
      to: {},
    },
    {
      name: 'through the door',
      comment: "Other rooms enter a room through its index.ts, so that what is behind it can change.",
      severity: 'error',
      from: { path: `^src/(${rooms.join('|')}|index\\.ts)` },
      to: { path: `^src/${any(rooms)}/(?!index\\.ts$)`, pathNot: '^src/$1/' },
    },
    {
      name: 'no way round',
      comment: 'Modules that import each other run in an order that nobody can see. Types are erased, so they may.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'backends in one room',
      comment: 'Only base/backend loads tfjs backends, tfjs-node and the gradients of tfjs-layers; all else computes through tfjs-core.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/base/backend/' },
      to: { path: '(?:^|/)@tensorflow/(?!tfjs-core(?:/|$))' },
    },
    {
      name: 'no tensors here',
      comment: 'Preparing data and drawing figures need no tfjs; the protocol process of the kernel must not load it.',
      severity: 'error',
      from: { path: '^src/(?:prepare|show|kernel|base/core|base/text)/' },
      to: { path: '(?:^|/)@tensorflow/' },
    },
    {
      name: 'prepare runs in a page',
      comment: 'A browser page can load this floor: what reads files imports node: modules when it is called.',
      severity: 'error',
      from: { path: '^src/prepare/' },
      to: { dependencyTypes: ['core'], dynamic: false },
    },
    {
      name: 'nothing unknown',
      comment: 'Every import leads somewhere.',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'only what users get',
      comment: 'src may import dependencies and peers of package.json, not what only developers have installed.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no developer tools',
      comment: 'As above, for devDependencies that are not also (optional) peers.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'npm', 'npm-optional', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
