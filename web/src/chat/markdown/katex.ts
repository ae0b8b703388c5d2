import 'katex/dist/katex.min.css';
import rehypeKatex from 'rehype-katex';
import remarkMath from 'remark-math';
import type { MathPlugins } from './math';

export const plugins: MathPlugins = { remarkMath, rehypeKatex };
