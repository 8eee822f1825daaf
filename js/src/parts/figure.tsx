/** A number and what it is. */

interface FigureProps {
  name: string;
  value: string;
  unit?: string;
}

export function Figure({ name, value, unit = "" }: FigureProps) {
  return (
    <div class="figure">
      <div class="what">{name}</div>
      <div class="value">
        {value}
        {unit !== "" && <span class="unit"> {unit}</span>}
      </div>
    </div>
  );
}
