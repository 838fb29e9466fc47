import { differs } from './old-unicode.js';

// Script names in the order in which they are tried; the commonest first.
const NAMES =
  'Latin Common Inherited Cyrillic Han Hiragana Katakana Arabic Hangul Devanagari Greek Hebrew Thai Bengali Tamil Telugu Gujarati Gurmukhi Kannada Malayalam Oriya Sinhala Lao Tibetan Myanmar Georgian Armenian Ethiopic Khmer Mongolian Cherokee Bopomofo Braille Coptic Syriac Thaana Canadian_Aboriginal Runic Ogham Tagalog Hanunoo Buhid Tagbanwa Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Buginese New_Tai_Lue Glagolitic Tifinagh Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha Ol_Chiki Vai Saurashtra Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese Meetei_Mayek Imperial_Aramaic Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak Brahmi Mandaic Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao Sharada Sora_Sompeng Takri Gothic Deseret Old_Italic Yi Adlam Bhaiksuki Marchen Newa Osage Tangut Khojki Mro Nushu Linear_A SignWriting Anatolian_Hieroglyphs Hatran Multani Old_Hungarian Ahom Caucasian_Albanian Bassa_Vah Duployan Elbasan Grantha Khudawadi Mahajani Manichaean Mende_Kikakui Modi Nabataean Old_North_Arabian Old_Permic Pahawh_Hmong Palmyrene Pau_Cin_Hau Psalter_Pahlavi Siddham Tirhuta Warang_Citi Masaram_Gondi Soyombo Zanabazar_Square'.split(
    ' ',
  );
let tests: { name: string; pattern: RegExp }[] | undefined;
const known = new Map<string, string>();

/** The script of a character as the pre-tokenizer `UnicodeScripts` sees it: kana count as Han, a space as any. */
function scriptOf(char: string): string {
  if (char === ' ') return 'Any';
  if (char === '\u30fc') return 'Han';
  const cached = known.get(char);
  if (cached) return cached;
  tests ??= NAMES.map(name => ({ name, pattern: new RegExp(`\\p{Script=${name}}`, 'u') }));
  let name = differs(char, 'noScript') ? 'Any' : (tests.find(({ pattern }) => pattern.test(char))?.name ?? 'Any');
  if (name === 'Hiragana' || name === 'Katakana') name = 'Han';
  known.set(char, name);
  return name;
}

/** Stretches of one script, [from, to); a space joins either side. */
export function cutByScript(text: string): [number, number][] {
  const cuts: number[] = [];
  let last: string | undefined;
  let at = 0;
  for (const char of text) {
    const script = scriptOf(char);
    if (script !== 'Any' && last !== script) cuts.push(at);
    if (script !== 'Any') last = script;
    at += char.length;
  }
  return cuts.map((from, i) => [from, cuts[i + 1] ?? text.length]);
}
