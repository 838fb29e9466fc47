// Ways to write the same conversation. The first is what every arm trains and is asked in; the last two are never trained.
import { templates } from 'tunebook';

const style = (name: string, before: string, lead: string): templates.Template =>
  templates.define({ name, user: { before, end: '\n' }, assistant: { before: lead, end: '{eos}' } });

/** Styles that may be trained: an arm takes the first of them. */
export const TRAINED_STYLES: readonly templates.Template[] = [
  templates.get('chatml'),
  style('question', 'q : ', 'a :'),
  style('sections', '### instruction\n', '### response\n'),
  style('arrow', '', '=>'),
  style('brackets', '[inst] ', '[/inst]'),
  style('human', 'human : ', 'assistant :'),
  style('tags', '<task> ', '<answer>'),
  style('letter', 'dear helper ,\n', 'dear user ,\n'),
];

/** Styles that no arm is trained in. */
export const NEW_STYLES: readonly templates.Template[] = [style('order', 'order : ', 'reply :'), style('dialogue', '- ', '- -')];
