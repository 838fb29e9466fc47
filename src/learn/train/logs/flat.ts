/** Nested settings with paths for names: { optimizer: { eps: 1 } } becomes { 'optimizer.eps': 1 }. Lists stay whole. */
export function flat(value: unknown, path = ''): Record<string, unknown> {
  const nested = value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!nested) return path && value !== undefined ? { [path]: value } : {};
  const parts = Object.entries(value).map(([key, part]) => flat(part, path ? `${path}.${key}` : key));
  return Object.assign({}, ...parts) as Record<string, unknown>;
}
