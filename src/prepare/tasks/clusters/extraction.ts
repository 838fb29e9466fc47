import { FIELD_NAMES, note, record, type Scene, scene, writeRecord } from '../suite/scenes.js';
import { exact, number, set, type Task } from '../suite/task.js';
import { between, KINDS, nouns, PLURAL_KINDS } from '../suite/vocabulary.js';

const cluster = 'extraction';
const RECORDS = ['this record', 'the record', 'this form', 'the form'];
const NOTES = ['this note', 'the note', 'this sentence', 'the sentence'];

/** What of a note can be asked for, and where it stands. */
const ROLES: Record<string, (scene: Scene) => string> = {
  person: ({ name }) => name,
  day: ({ day }) => day,
  place: ({ place }) => place,
  color: ({ color }) => color,
  thing: ({ thing }) => thing,
};

/** Taking out of a record or a note what it says: `give the color in this record: name: tom, color: red` → `red`. */
export const extraction: readonly Task[] = [
  {
    name: 'field',
    cluster,
    verbs: ['give the {p} in {o}', 'extract the {p} from {o}', 'read the {p} from {o}', 'write down the {p} in {o}'],
    baseVerb: 'pick the {p} out of {o}',
    objects: RECORDS,
    parameters: FIELD_NAMES,
    draw(random, level, field) {
      const fields = record(random, between(random, 2, 2 + level), field);
      return exact(writeRecord(fields), fields.find(([name]) => name === field)![1]);
    },
  },
  {
    name: 'role in note',
    cluster,
    verbs: ['name the {p} in {o}', 'find the {p} that {o} speaks of', 'say which {p} {o} speaks of'],
    baseVerb: 'single out the {p} in {o}',
    objects: NOTES,
    parameters: Object.keys(ROLES),
    draw(random, _level, role) {
      const drawn = scene(random);
      return exact(note(drawn), ROLES[role]!(drawn));
    },
  },
  {
    name: 'all of a kind',
    cluster,
    verbs: ['list the {k} in {o}', 'write down all {k} in {o}', 'find the {k} among {o}', 'keep only the {k} of {o}'],
    baseVerb: 'gather the {k} from {o}',
    objects: ['these words', 'the words', 'this list', 'the list'],
    parameters: Object.keys(KINDS),
    slots: kind => ({ k: PLURAL_KINDS[kind]! }),
    draw(random, level, kind) {
      const inside = random.sample(KINDS[kind]!, between(random, 1, 1 + Math.ceil(level / 2)));
      const outside = nouns(random, 20).filter(noun => !KINDS[kind]!.includes(noun));
      const words = random.shuffle([...inside, ...outside.slice(0, between(random, 1, 1 + level))]);
      return set(
        words.join(' '),
        words.filter(word => inside.includes(word)),
      );
    },
  },
  {
    name: 'count fields',
    cluster,
    verbs: ['count the fields of {o}', 'say how many fields {o} has', 'give the number of fields in {o}'],
    objects: RECORDS,
    draw(random, level) {
      const fields = record(random, between(random, 2, 2 + level));
      return number(writeRecord(fields), fields.length, 'fields');
    },
  },
  {
    name: 'field of value',
    cluster,
    verbs: ['name the field at the {p} of {o}', 'say which field stands at the {p} of {o}'],
    objects: RECORDS,
    parameters: ['beginning', 'end'],
    baseOnly: true,
    draw(random, level, end) {
      const fields = record(random, between(random, 2, 2 + level));
      return exact(writeRecord(fields), (end === 'end' ? fields.at(-1)! : fields[0]!)[0]);
    },
  },
];
